"""Abilities that are wrong as real ones were: each fault is caught."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

import pytest

from ltq_core.abilities import LiveWorker, QueueLimits, QueueStats
from ltq_core.clock import now
from ltq_core.testing import (
    InspectionConformance,
    LiveWorkersConformance,
    PauseConformance,
    SharedLimitsConformance,
    TicksConformance,
)
from ltq_memory.broker import MemoryBroker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ltq_core.message import Message
    from ltq_core.testing.suite import Conformance


class Wrong(MemoryBroker):
    """One fault, and the fact that must fail with it."""

    suite: ClassVar[type[Conformance]]
    caught_by: ClassVar[str]


class Limits(Wrong):
    suite = SharedLimitsConformance
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
    suite = SharedLimitsConformance
    caught_by = "test_keyed_concurrency_counts_by_key"

    async def set_limits(self, queue: str, limits: QueueLimits) -> None:
        await super().set_limits(queue, QueueLimits(limits.rate, limits.concurrency))


class LeaksPlaces(Wrong):
    """It counts places up and down itself, and forgets those of failed runs."""

    suite = SharedLimitsConformance
    caught_by = "test_nack_makes_room"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        await super().nack(message, delay, drop)
        with self.store.lend(message.task_name) as lent:
            lent.limiter.running += 1


class LooksThenTicks(Wrong):
    suite = TicksConformance
    caught_by = "test_racing_schedulers_publish_once"

    async def publish_tick(self, job: str, tick: float, message: Message) -> bool:
        last = await self.last_tick(message.task_name, job)
        await asyncio.sleep(0)
        if last is not None and tick <= last:
            return False
        await self.publish(message)
        with self.store.lend(message.task_name) as lent:
            lent.ticks[job] = tick
        return True


class TicksBackwards(Wrong):
    suite = TicksConformance
    caught_by = "test_earlier_tick_is_not_published"

    async def publish_tick(self, job: str, tick: float, message: Message) -> bool:
        with self.store.lend(message.task_name) as lent:
            if lent.ticks.get(job) != tick:
                lent.ticks.pop(job, None)
        return await super().publish_tick(job, tick, message)


class ForgetsTicksWithTheirMessages(Wrong):
    suite = TicksConformance
    caught_by = "test_last_tick_is_remembered"

    async def clear(self, queue: str) -> None:
        await super().clear(queue)
        with self.store.lend(queue) as lent:
            lent.ticks.clear()


class PeeksByConsuming(Wrong):
    suite = InspectionConformance
    caught_by = "test_peek_takes_nothing"

    async def peek(self, queue: str, limit: int = 10) -> Sequence[Message]:
        return await self.consume_many([queue], limit)


class CountsDelayedAsDue(Wrong):
    suite = InspectionConformance
    caught_by = "test_stats_count"

    async def stats(self, queue: str) -> QueueStats:
        stats = await super().stats(queue)
        return QueueStats(stats.waiting, stats.waiting, stats.running)


class ListsTheDead(Wrong):
    suite = LiveWorkersConformance
    caught_by = "test_closed_worker_is_not_listed"
    known: ClassVar[dict[str, LiveWorker]] = {}

    async def workers(self, queue: str) -> list[LiveWorker]:
        return [*self.known.values()] or await super().workers(queue)

    async def consume(self, queue: str) -> Message:
        received = await super().consume(queue)
        self.known.update({each.id: each for each in await super().workers(queue)})
        return received


class ResumesWithoutWaking(Wrong):
    suite = PauseConformance
    caught_by = "test_resume_wakes_who_waits"

    async def resume(self, queue: str) -> None:
        with self.store.lend(queue) as lent:
            lent.paused = False


class PausesThisWorkerAlone(Wrong):
    suite = PauseConformance
    caught_by = "test_paused_queue_hands_out_nothing"
    own: str | None = None

    async def pause(self, queue: str) -> None:
        self.own = queue

    async def consume(self, queue: str) -> Message:
        await asyncio.sleep(3600 if queue == self.own else 0)
        return await super().consume(queue)


class PausesAtTheNextClaim(Wrong):
    """Who waits already is handed what comes."""

    suite = PauseConformance
    caught_by = "test_pause_holds_back_who_waits_already"
    marked: ClassVar[set[str]] = set()

    async def pause(self, queue: str) -> None:
        self.marked.add(self.url + queue)

    async def consume(self, queue: str) -> Message:
        await asyncio.sleep(3600 if self.url + queue in self.marked else 0)
        return await super().consume(queue)


WRONG = [
    each for each in (*Wrong.__subclasses__(), *Limits.__subclasses__()) if each is not Limits
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_wrong_ability_is_caught(
    wrong: type[Wrong], assert_caught: Callable[..., None]
) -> None:
    """The fact that names the fault fails."""
    assert_caught(wrong.suite, wrong)
