"""Brokers that look into queues wrongly: each fault is caught."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import pytest

from ltq_core.abilities import QueueLimits, QueueStats
from ltq_core.clock import now
from ltq_core.message import Message
from ltq_core.testing import InspectionConformance
from ltq_memory.broker import MemoryBroker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Wrong(MemoryBroker):
    """One fault, and the fact that must fail with it."""

    caught_by: ClassVar[str]


class PeeksByConsuming(Wrong):
    caught_by = "test_peek_takes_nothing"

    async def peek(self, queue: str, limit: int = 10) -> Sequence[Message]:
        return await self.consume_many([queue], limit)


class CountsDelayedAsDue(Wrong):
    caught_by = "test_stats_count"

    async def stats(self, queue: str) -> QueueStats:
        stats = await super().stats(queue)
        return QueueStats(stats.waiting, stats.waiting, stats.running)


class ShowsFiguresOfAMomentAgo(Wrong):
    caught_by = "test_stats_follow_every_step"
    known: QueueStats | None = None

    async def stats(self, queue: str) -> QueueStats:
        self.known = self.known or await super().stats(queue)
        return self.known


class CountsReturnsTwice(Wrong):
    """It counts by itself: up at a claim, down at an ack."""

    caught_by = "test_stats_follow_every_step"
    running: ClassVar[dict[str, int]] = {}

    async def consume(self, queue: str) -> Message:
        received = await super().consume(queue)
        self.running[self.url] = self.running.get(self.url, 0) + 1
        return received

    async def ack(self, message: Message) -> None:
        await super().ack(message)
        self.running[self.url] -= 1

    async def stats(self, queue: str) -> QueueStats:
        return replace(await super().stats(queue), running=self.running.get(self.url, 0))


class CountsWhatAWorkerTookAlong(CountsReturnsTwice):
    """Its own count misses what a close gives back."""

    caught_by = "test_stats_count_what_a_closed_worker_held"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        await super().nack(message, delay, drop)
        self.running[self.url] -= 1


class CountsNoLetters(Wrong):
    caught_by = "test_dead_letters_are_counted"

    async def stats(self, queue: str) -> QueueStats:
        return replace(await super().stats(queue), dead=0)


class CountsLettersOfAllQueues(Wrong):
    caught_by = "test_dead_letters_are_counted"

    async def stats(self, queue: str) -> QueueStats:
        dead = sum(len(each.dead) for each in self.store._queues.values())
        return replace(await super().stats(queue), dead=dead)


class TellsTheAgeSinceThePublish(Wrong):
    caught_by = "test_age_of_the_oldest_due_message_is_told"
    delay: ClassVar[float] = 0

    async def publish(self, message: Message, delay: float = 0) -> None:
        type(self).delay = delay
        await super().publish(message, delay)

    async def stats(self, queue: str) -> QueueStats:
        stats = await super().stats(queue)
        age = stats.oldest_due
        return replace(stats, oldest_due=None if age is None else age + self.delay)


class ListsOnePageOfQueues(Wrong):
    caught_by = "test_no_look_is_cut_short"

    async def queues(self) -> list[str]:
        return (await super().queues())[:100]


class PeeksAtOnePage(Wrong):
    caught_by = "test_no_look_is_cut_short"

    async def peek(self, queue: str, limit: int = 10) -> Sequence[Message]:
        return await super().peek(queue, min(limit, 100))


class ListsNoQueuesOfLetters(Wrong):
    caught_by = "test_dead_letters_are_counted"

    async def queues(self) -> list[str]:
        return [name for name in await super().queues() if await self.size(name)]


class TellsOfNoPause(Wrong):
    caught_by = "test_stats_tell_a_pause"

    async def stats(self, queue: str) -> QueueStats:
        return replace(await super().stats(queue), paused=False)


class KnowsNoAge(Wrong):
    caught_by = "test_age_is_that_of_the_oldest"

    async def stats(self, queue: str) -> QueueStats:
        stats = await super().stats(queue)
        return replace(stats, oldest_due=0.0 if stats.due else None)


class TellsTheAgeOfTheYoungest(Wrong):
    caught_by = "test_age_is_that_of_the_oldest"

    async def stats(self, queue: str) -> QueueStats:
        stats = await super().stats(queue)
        with self.store.lend(queue) as lent:
            return replace(stats, oldest_due=now() - max(lent.due_times(), default=now()))


class PeeksByConsumingAndReturning(Wrong):
    caught_by = "test_peek_leases_nothing"

    async def peek(self, queue: str, limit: int = 10) -> Sequence[Message]:
        received = await self.consume_many([queue], limit)
        for each in received:
            await self.nack(each)
        return received


class PeeksByTurningRound(Wrong):
    """What it looked at goes to the end."""

    caught_by = "test_peek_changes_no_order"

    async def peek(self, queue: str, limit: int = 10) -> Sequence[Message]:
        received = await self.consume_many([queue], limit)
        await self.ack_many(received)
        await self.publish_many(received)
        return received


class PeeksAtWhatRuns(Wrong):
    caught_by = "test_peek_shows_what_waits_alone"

    async def peek(self, queue: str, limit: int = 10) -> Sequence[Message]:
        held = [lease for epoch in self.store.epochs(queue) for lease in epoch.held]
        running = [Message.from_json(lease.entry.raw) for lease in held]
        return [*running, *await super().peek(queue, limit)]


class PeeksAtTheFirstVersion(Wrong):
    caught_by = "test_peeked_message_is_whole"

    async def peek(self, queue: str, limit: int = 10) -> Sequence[Message]:
        shown = await super().peek(queue, limit)
        for each in shown:
            each.ctx.pop("tries", None)
        return shown


class CountsAHundredRuns(Wrong):
    caught_by = "test_many_runs_are_counted"

    async def stats(self, queue: str) -> QueueStats:
        stats = await super().stats(queue)
        return replace(stats, running=min(stats.running, 100))


class CountsAHundredLetters(Wrong):
    caught_by = "test_many_letters_are_counted"

    async def stats(self, queue: str) -> QueueStats:
        return replace(
            await super().stats(queue), dead=len(await self.dead_letters(queue, limit=100))
        )


class ShowsAllForZero(Wrong):
    """A range that ends before it begins counts from the end."""

    caught_by = "test_limit_of_zero_shows_nothing"

    async def peek(self, queue: str, limit: int = 10) -> Sequence[Message]:
        return await super().peek(queue, limit or 1000)


class LooksPastItsLines(Wrong):
    """What waits for its limit stands in a table that no look goes to."""

    caught_by = "test_what_waits_for_a_limit_is_seen"
    limited: ClassVar[set[str]] = set()

    async def set_limits(self, queue: str, limits: QueueLimits) -> None:
        self.limited.add(self.url)
        await super().set_limits(queue, limits)

    async def stats(self, queue: str) -> QueueStats:
        stats = await super().stats(queue)
        return replace(stats, due=0) if self.url in self.limited else stats


WRONG = [*Wrong.__subclasses__(), *CountsReturnsTwice.__subclasses__()]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_wrong_inspection_is_caught(
    wrong: type[Wrong], assert_caught: Callable[..., None]
) -> None:
    """The fact that names the fault fails."""
    assert_caught(InspectionConformance, wrong)
