"""The `SharedLimits` ability as tests; one module for each kind of fact."""

from __future__ import annotations

from ltq_core.testing.shared_limits.keys import KeyFacts
from ltq_core.testing.shared_limits.places import PlaceFacts
from ltq_core.testing.shared_limits.queues import LimitedQueueFacts
from ltq_core.testing.shared_limits.rates import RateFacts


class SharedLimitsConformance(RateFacts, PlaceFacts, KeyFacts, LimitedQueueFacts):
    """A limit keeps messages in their queue, in order, whoever asks for them."""
