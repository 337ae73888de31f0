"""What ltq-otel offers to LTQ; imports nothing of OpenTelemetry's."""

from __future__ import annotations

import os
import sys

from ltq_core import MiddlewareSpec, hookimpl


@hookimpl
def ltq_register_middleware() -> list[MiddlewareSpec]:
    """`Tracing`, in the default stack where a tracer provider is set up."""
    target = "ltq_otel.middleware:Tracing"
    return [MiddlewareSpec("otel", target, phase="observe", default=is_set_up)]


def is_set_up() -> bool:
    """Whether the program, or the environment, has chosen a tracer provider."""
    if "OTEL_PYTHON_TRACER_PROVIDER" in os.environ:
        return True
    # Whoever set one up has imported the API; importing it here only to ask would cost
    # every other worker its start-up time.
    trace = sys.modules.get("opentelemetry.trace")
    return trace is not None and not isinstance(
        trace.get_tracer_provider(), trace.ProxyTracerProvider
    )
