"""Brokers that limit wrongly, as real ones did: each fault is caught."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

import pytest

from ltq_core.abilities import QueueLimits
from ltq_core.clock import now
from ltq_core.testing import SharedLimitsConformance
from ltq_memory.broker import MemoryBroker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ltq_core.message import Message


class Wrong(MemoryBroker):
    """One fault, and the fact that must fail with it."""

    caught_by: ClassVar[str]


class Limits(Wrong):
    limits = QueueLimits()

    async def set_limits(self, queue: str, limits: QueueLimits) -> None:
        self.limits = limits


class LimitsEachWorkerAlone(Limits):
    caught_by = "test_rate_counts_for_all_workers"
    slot = 0.0

    async def consume(self, queue: str) -> Message:
        await asyncio.sleep(self.slot - now())
        self.slot = now() + (self.limits.rate.interval if self.limits.rate else 0)
        return await super().consume(queue)


class BouncesWhatComesTooEarly(Limits):
    """It claims first and asks afterwards; what is bounced falls behind."""

    caught_by = "test_rate_keeps_the_order"
    slots: ClassVar[dict[str, float]] = {}

    async def consume(self, queue: str) -> Message:
        while True:
            received = await super().consume(queue)
            slot = self.slots.setdefault(self.url, 0.0)
            if self.limits.rate is None or now() >= slot:
                self.slots[self.url] = now() + (self.limits.rate or QueueLimits).interval
                return received
            await self.nack(received, delay=slot - now())


class HoldsItsQueuesUp(Limits):
    """A worker that waits for one queue's slot serves no other."""

    caught_by = "test_limited_queue_hinders_no_other"

    async def consume_many(
        self, queues: Sequence[str], limit: int, acks: Sequence[Message] = ()
    ) -> list[Message]:
        received = await super().consume_many(queues, limit, acks)
        if self.limits.rate is not None:
            await asyncio.sleep(self.limits.rate.interval)
        return received


class CountsOneKeyForAll(Wrong):
    caught_by = "test_keyed_concurrency_counts_by_key"

    async def set_limits(self, queue: str, limits: QueueLimits) -> None:
        await super().set_limits(queue, QueueLimits(limits.rate, limits.concurrency))


class LeaksPlaces(Wrong):
    """It counts places up and down itself, and forgets those of failed runs."""

    caught_by = "test_nack_makes_room"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        await super().nack(message, delay, drop)
        with self.store.lend(message.task_name) as lent:
            lent.limiter.running += 1


WRONG = [
    each for each in (*Wrong.__subclasses__(), *Limits.__subclasses__()) if each is not Limits
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_wrong_shared_limits_is_caught(
    wrong: type[Wrong], assert_caught: Callable[..., None]
) -> None:
    """The fact that names the fault fails."""
    assert_caught(SharedLimitsConformance, wrong)
