"""Brokers that limit wrongly, as real ones did: each fault is caught."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

import pytest

from ltq_core.abilities import QueueLimits
from ltq_core.clock import now
from ltq_core.testing import SharedLimitsConformance
from ltq_core.testing.shared_limits.limits import QUICK
from ltq_memory.broker import MemoryBroker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ltq_core.dead_letter import DeadLetter
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


class ForgetsSlotsAtClose(Wrong):
    caught_by = "test_slots_outlive_their_workers"

    async def close(self) -> None:
        await super().close()
        for name in await self.queues():
            with self.store.lend(name) as lent:
                lent.limiter._slots.clear()


class LeaksPlaces(Wrong):
    """It counts places up and down itself, and forgets those of failed runs."""

    caught_by = "test_nack_makes_room"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        await super().nack(message, delay, drop)
        with self.store.lend(message.task_name) as lent:
            lent.limiter.running += 1


class WaitsForItsSlotAlone(Wrong):
    """A worker that has a slot to come serves the queue of that slot, and then looks round."""

    caught_by = "test_busy_limited_queue_starves_no_other"

    async def consume_many(
        self, queues: Sequence[str], limit: int, acks: Sequence[Message] = ()
    ) -> list[Message]:
        limited = [name for name in queues if name in self._session.limits]
        waiting = [name for name in limited if await self.size(name)]
        return await super().consume_many(waiting or queues, limit, acks)


class LooksAtLimitedQueuesLast(Wrong):
    caught_by = "test_limited_queue_is_starved_by_no_other"

    async def consume_many(
        self, queues: Sequence[str], limit: int, acks: Sequence[Message] = ()
    ) -> list[Message]:
        plain = [name for name in queues if name not in self._session.limits]
        busy = [name for name in plain if await self.size(name)]
        return await super().consume_many(busy or queues, limit, acks)


class SavesSlots(Limits):
    """Its bucket fills while nobody works."""

    caught_by = "test_idle_time_saves_no_slots"
    slots: ClassVar[dict[str, float]] = {}

    async def consume(self, queue: str) -> Message:
        slot = self.slots.setdefault(self.url, now())
        self.slots[self.url] = slot + (self.limits.rate or QUICK).interval
        await asyncio.sleep(slot - now())
        return await super().consume(queue)


class LimitsAllQueuesTogether(Limits):
    caught_by = "test_each_queue_has_slots_of_its_own"
    slot = 0.0

    async def consume(self, queue: str) -> Message:
        await asyncio.sleep(self.slot - now())
        received = await super().consume(queue)
        self.slot = now() + (self.limits.rate or QUICK).interval
        return received


class AsksForAKey(Limits):
    caught_by = "test_messages_without_a_key_have_one_limit"
    fails_with = KeyError

    async def consume(self, queue: str) -> Message:
        received = await super().consume(queue)
        assert received.ctx["rate_key"]
        return received


class LimitsNothingWithoutAKey(Wrong):
    caught_by = "test_messages_without_a_key_have_one_limit"

    async def publish(self, message: Message, delay: float = 0) -> None:
        message.ctx.setdefault("rate_key", message.id)
        message.ctx.setdefault("concurrency_key", message.id)
        await super().publish(message, delay)


class KnowsOneLimitAtATime(Wrong):
    caught_by = "test_rate_and_concurrency_hold_together"

    async def set_limits(self, queue: str, limits: QueueLimits) -> None:
        one = QueueLimits(limits.rate) if limits.rate else limits
        await super().set_limits(queue, one)


class SettlesAcksAfterItsClaim(Wrong):
    caught_by = "test_ack_in_a_claim_makes_room"

    async def consume_many(
        self, queues: Sequence[str], limit: int, acks: Sequence[Message] = ()
    ) -> list[Message]:
        received = await super().consume_many(queues, limit)
        await self.ack_many(acks)
        return received


class LeaksPlacesOfTheDead(Wrong):
    caught_by = "test_burial_makes_room"

    async def bury(self, message: Message, letter: DeadLetter) -> None:
        await super().bury(message, letter)
        with self.store.lend(message.task_name) as lent:
            lent.limiter.running += 1


class ClearsPlacesToo(Wrong):
    caught_by = "test_clear_makes_no_room"

    async def clear(self, queue: str) -> None:
        await super().clear(queue)
        with self.store.lend(queue) as lent:
            lent.limiter.running = 0


class TakesAPlaceAndThenAMessage(Wrong):
    """Cancelled in between, it never gives the place back."""

    caught_by = "test_cancelled_claim_takes_no_place"

    async def set_limits(self, queue: str, limits: QueueLimits) -> None:
        self.places = asyncio.Semaphore(limits.concurrency or 1)

    async def consume(self, queue: str) -> Message:
        await self.places.acquire()
        return await super().consume(queue)

    async def ack(self, message: Message) -> None:
        await super().ack(message)
        self.places.release()


WRONG = [
    each for each in (*Wrong.__subclasses__(), *Limits.__subclasses__()) if each is not Limits
]


class LetsNobodyOutOfItsLines(Wrong):
    """What once waited for a limit only a worker that has the limit looks at."""

    caught_by = "test_lifted_limits_hold_nobody_back"
    limited: ClassVar[set[str]] = set()

    async def set_limits(self, queue: str, limits: QueueLimits) -> None:
        await super().set_limits(queue, limits)
        if limits != QueueLimits():
            self.limited.add(self.url)
        elif self.url in self.limited:
            await self.nack(await self.consume(queue), delay=3600)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_wrong_shared_limits_is_caught(
    wrong: type[Wrong], assert_caught: Callable[..., None]
) -> None:
    """The fact that names the fault fails."""
    assert_caught(SharedLimitsConformance, wrong)
