"""LTQ's in-process broker: ``memory://``."""
