"""OpenTelemetry for LTQ: a span for each send and each run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltq_core import lazy_names

if TYPE_CHECKING:
    from ltq_otel.middleware import Tracing as Tracing

__all__ = ["Tracing"]

# The plugin module lives in this package too, and must stay light.
if not TYPE_CHECKING:  # a type checker would take any name for granted
    __getattr__, __dir__ = lazy_names(__name__, {"Tracing": "ltq_otel.middleware"})
