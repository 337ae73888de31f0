"""LTQ's middleware for Sentry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ltq_sentry.middleware import Sentry as Sentry

__all__ = ["Sentry"]


def __getattr__(name: str) -> Any:
    # The plugin module lives in this package too, and must stay light.
    if name == "Sentry":
        from ltq_sentry.middleware import Sentry

        return Sentry
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
