"""Fixtures of the core's tests."""

from fake_site import site

__all__ = ["site"]
