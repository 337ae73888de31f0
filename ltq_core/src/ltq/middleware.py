"""`Middleware`, the core's limits, and `Sentry` where ltq-sentry is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltq_core.lazy import lazy_names
from ltq_core.limits.max_age import MaxAge
from ltq_core.limits.max_concurrency import MaxConcurrency
from ltq_core.limits.max_rate import MaxRate
from ltq_core.limits.max_tries import MaxTries
from ltq_core.middleware import Middleware

if TYPE_CHECKING:
    from ltq_sentry.middleware import Sentry as Sentry  # noqa: PLC0414 (exported)

# Sentry is left out: `import *` must work without it.
__all__ = ["MaxAge", "MaxConcurrency", "MaxRate", "MaxTries", "Middleware"]

if not TYPE_CHECKING:  # a type checker would take any name for granted
    __getattr__, __dir__ = lazy_names(__name__, {"Sentry": "ltq_sentry.middleware"})
