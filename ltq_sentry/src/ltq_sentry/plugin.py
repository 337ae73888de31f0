"""What ltq-sentry offers to LTQ."""

from __future__ import annotations

import os
import sys

from ltq_core import MiddlewareSpec, hookimpl


@hookimpl
def ltq_register_middleware() -> list[MiddlewareSpec]:
    """`Sentry`, in the default stack where Sentry is set up."""
    target = "ltq_sentry.middleware:Sentry"
    return [MiddlewareSpec("sentry", target, phase="observe", default=is_set_up)]


def is_set_up() -> bool:
    """Whether ``SENTRY_DSN`` is set, or the program initialized a client itself."""
    # A client that was initialized has imported the SDK; importing it here only to
    # ask would cost every worker its start-up time.
    sdk = sys.modules.get("sentry_sdk")
    return bool(os.environ.get("SENTRY_DSN")) or (sdk is not None and sdk.is_initialized())
