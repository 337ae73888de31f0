"""The core's own middleware, registered as every plugin's is."""

from __future__ import annotations

from ltq_core import MiddlewareSpec, hookimpl


@hookimpl
def ltq_register_middleware() -> list[MiddlewareSpec]:
    """The limits of the default stack."""
    return [
        MiddlewareSpec(
            "max-tries",
            "ltq_core.limits.max_tries:MaxTries",
            phase="retry",
            default=True,
            options=("max_tries", "backoff", "retry_on", "give_up_on"),
        ),
        MiddlewareSpec(
            "max-age",
            "ltq_core.limits.max_age:MaxAge",
            phase="guard",
            default=True,
            options=("max_age",),
        ),
        MiddlewareSpec(
            "max-rate",
            "ltq_core.limits.max_rate:MaxRate",
            phase="limit",
            default=True,
            options=("max_rate",),
        ),
        MiddlewareSpec(
            "max-concurrency",
            "ltq_core.limits.max_concurrency:MaxConcurrency",
            phase="limit",
            default=True,
            options=("max_concurrency",),
        ),
    ]
