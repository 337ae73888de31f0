"""Limits, and workers that keep them, as the facts use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltq_core.abilities import QueueLimits, Rate, SharedLimits
from ltq_core.testing.ability import AbilityConformance
from ltq_core.testing.lab import QUEUE, Lab

if TYPE_CHECKING:
    from ltq_core.broker import Broker

SLOW = Rate(interval=30.0)
"""A rate at which a second message does not come within a test."""

QUICK = Rate(interval=0.1)
SPACED = Rate(interval=0.2)

SOON = 1.0
"""Seconds within which a place or a slot that came free is used: far more than it takes."""


class Limited(AbilityConformance[SharedLimits]):
    """How a fact comes to its workers."""

    ability = SharedLimits

    async def worker(self, lab: Lab, limits: QueueLimits) -> Broker:
        """One more connection, gated by *limits*."""
        broker = await lab.connect()
        await self.of(broker).set_limits(QUEUE, limits)
        return broker
