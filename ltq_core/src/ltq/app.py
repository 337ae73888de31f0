"""`App`: several workers in one process."""

from ltq_core.app import App

__all__ = ["App"]
