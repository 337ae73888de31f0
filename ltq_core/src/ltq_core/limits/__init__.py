"""The core's own limits, registered like any plugin's middleware."""
