"""OpenTelemetry for LTQ: a span for each send and each run."""

from ltq_otel.middleware import Tracing

__all__ = ["Tracing"]
