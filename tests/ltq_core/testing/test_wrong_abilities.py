"""Abilities that are wrong as real ones were: each fault is caught."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import pytest

from ltq_core.abilities import LiveWorker
from ltq_core.clock import now, uptime
from ltq_core.message import Message
from ltq_core.testing import (
    LiveWorkersConformance,
    PauseConformance,
    TicksConformance,
)
from ltq_memory.broker import MemoryBroker
from ltq_memory.lines import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from ltq_core.testing.suite import Conformance


class Wrong(MemoryBroker):
    """One fault, and the fact that must fail with it."""

    suite: ClassVar[type[Conformance]]
    caught_by: ClassVar[str]


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


class TicksThenPublishes(Wrong):
    """It notes the tick, then publishes: what happens in between loses the tick."""

    suite = TicksConformance
    caught_by = "test_cancelled_tick_is_published_once"

    async def publish_tick(self, job: str, tick: float, message: Message) -> bool:
        with self.store.lend(message.task_name) as lent:
            last, lent.ticks[job] = lent.ticks.get(job), tick
        await asyncio.sleep(0.01)
        if last == tick:
            return False
        await self.publish(message)
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


class TicksWakeNobody(Wrong):
    suite = TicksConformance
    caught_by = "test_tick_wakes_who_waits"

    async def publish_tick(self, job: str, tick: float, message: Message) -> bool:
        sleeping, self.store._waiters = self.store._waiters, {}
        try:
            return await super().publish_tick(job, tick, message)
        finally:
            self.store._waiters = sleeping


class TicksWithoutKeywords(Wrong):
    suite = TicksConformance
    caught_by = "test_tick_arrives_as_it_was_sent"

    async def publish_tick(self, job: str, tick: float, message: Message) -> bool:
        bare = Message(message.args, {}, message.task_name, {}, message.id)
        return await super().publish_tick(job, tick, bare)


class TicksAtTheirTime(Wrong):
    suite = TicksConformance
    caught_by = "test_tick_is_due_at_once_whatever_its_time"

    async def publish_tick(self, job: str, tick: float, message: Message) -> bool:
        with self.store.lend(message.task_name) as lent:
            self.store.put(lent, [Entry.of(message, tick)])
        return True


class NotesATickAndThenEncodes(Wrong):
    suite = TicksConformance
    caught_by = "test_tick_that_cannot_be_stored_is_not_noted"

    async def publish_tick(self, job: str, tick: float, message: Message) -> bool:
        with self.store.lend(message.task_name) as lent:
            lent.ticks[job] = tick
        await self.publish(message)
        return True


class ForgetsTicksAtClose(Wrong):
    suite = TicksConformance
    caught_by = "test_ticks_outlive_their_scheduler"

    async def close(self) -> None:
        for name in await self.queues():
            with self.store.lend(name) as lent:
                lent.ticks.clear()
        await super().close()


class FoldsJobs(Wrong):
    suite, caught_by = TicksConformance, "test_similar_jobs_are_apart"

    async def publish_tick(self, job: str, tick: float, message: Message) -> bool:
        return await super().publish_tick(job.lower(), tick, message)


class JoinsNamesAndJobs(Wrong):
    suite, caught_by = TicksConformance, "test_similar_jobs_are_apart"
    ticks: ClassVar[dict[str, set[tuple[str, float]]]] = {}

    async def publish_tick(self, job: str, tick: float, message: Message) -> bool:
        known = self.ticks.setdefault(self.url, set())
        row = (f"{message.task_name}-{job}", tick)
        is_new = row not in known
        known.add(row)
        return is_new and await super().publish_tick(job, tick, message)


class TellsTheTimeSinceItsStart(Wrong):
    suite, caught_by = TicksConformance, "test_time_counts_from_the_epoch"

    async def time(self) -> float:
        return uptime()


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


class ListsWhoPublishes(Wrong):
    suite = LiveWorkersConformance
    caught_by = "test_producer_is_no_worker"

    async def publish(self, message: Message, delay: float = 0) -> None:
        await super().publish(message, delay)
        self.store.claim(self._session, [message.task_name], 0)


class CountsWhatRunsElsewhere(Wrong):
    suite = LiveWorkersConformance
    caught_by = "test_worker_is_listed_with_what_it_holds"

    async def workers(self, queue: str) -> list[LiveWorker]:
        held = {epoch.id: len(epoch.held) for epoch in self.store.epochs(queue)}
        return [replace(each, running=held[each.id]) for each in await super().workers(queue)]


class CountsBatches(Wrong):
    suite = LiveWorkersConformance
    caught_by = "test_batch_counts_as_running"

    async def workers(self, queue: str) -> list[LiveWorker]:
        listed = await super().workers(queue)
        return [replace(each, running=min(each.running, 1)) for each in listed]


class ListsEverybodyEverywhere(Wrong):
    suite = LiveWorkersConformance
    caught_by = "test_worker_is_listed_where_it_works"

    async def workers(self, queue: str) -> list[LiveWorker]:
        return [LiveWorker(each.id, 0, 1.0) for each in self.store._epochs]


class NeverCountsDown(Wrong):
    suite = LiveWorkersConformance
    caught_by = "test_settling_lowers_what_runs"
    most = 0

    async def workers(self, queue: str) -> list[LiveWorker]:
        return [replace(each, running=self.most) for each in await super().workers(queue)]

    async def consume(self, queue: str) -> Message:
        for broker in (type(self), self):
            broker.most += 1
        return await super().consume(queue)


class TellsADate(Wrong):
    suite = LiveWorkersConformance
    caught_by = "test_lease_lies_ahead"

    async def workers(self, queue: str) -> list[LiveWorker]:
        listed = await super().workers(queue)
        return [replace(each, expires_in=now() + each.expires_in) for each in listed]


class ListsAWorkerFromItsFirstLease(Wrong):
    """It keeps the end of a lease apart from its renewals."""

    suite = LiveWorkersConformance
    caught_by = "test_living_worker_stays_listed"
    ends: ClassVar[dict[str, float]] = {}

    async def workers(self, queue: str) -> list[LiveWorker]:
        listed = await super().workers(queue)
        for each in listed:
            self.ends.setdefault(each.id, now() + each.expires_in)
        return [each for each in listed if self.ends[each.id] > now()]


class KnowsWorkersByTheirProcess(Wrong):
    suite = LiveWorkersConformance
    caught_by = "test_two_workers_have_two_ids"

    async def workers(self, queue: str) -> list[LiveWorker]:
        listed = await super().workers(queue)
        return [replace(each, id=str(each.info["pid"])) for each in listed]


class ListsWhoNeverLeft(Wrong):
    """Only a farewell takes a worker from its list."""

    suite = LiveWorkersConformance
    caught_by = "test_dead_worker_is_listed_no_more"
    known: ClassVar[dict[str, dict[int, LiveWorker]]] = {}

    async def consume(self, queue: str) -> Message:
        received = await super().consume(queue)
        there = self.known.setdefault(self.url, {})
        there[id(self)] = LiveWorker(str(id(self)), 1, 0.3)
        return received

    async def close(self) -> None:
        await super().close()
        self.known.get(self.url, {}).pop(id(self), None)

    async def workers(self, queue: str) -> list[LiveWorker]:
        return [*self.known.get(self.url, {}).values()]


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


class PausesWhileItsOperatorStays(Wrong):
    suite = PauseConformance
    caught_by = "test_pause_outlives_its_connection"
    own: str | None = None

    async def pause(self, queue: str) -> None:
        self.own = queue
        await super().pause(queue)

    async def close(self) -> None:
        if self.own is not None:
            await self.resume(self.own)
        await super().close()


class PausesWhileThereAreMessages(Wrong):
    suite = PauseConformance
    caught_by = "test_pause_outlives_the_last_message_and_worker"

    async def ack(self, message: Message) -> None:
        await super().ack(message)
        if not await self.size(message.task_name):
            await self.resume(message.task_name)


class PausesWhileItsWorkersStay(Wrong):
    suite = PauseConformance
    caught_by = "test_pause_outlives_the_last_message_and_worker"

    async def close(self) -> None:
        worker = self._session.epoch
        await super().close()
        for queue in worker.queues if worker else ():
            await self.resume(queue)


class ClearsThePauseToo(Wrong):
    suite = PauseConformance
    caught_by = "test_pause_outlives_clear"

    async def clear(self, queue: str) -> None:
        await super().clear(queue)
        await self.resume(queue)


class OpensForWhatBecomesDue(Wrong):
    """Its timer hands a delayed message out, whatever was told meanwhile."""

    suite = PauseConformance
    caught_by = "test_pause_holds_back_what_becomes_due"

    async def publish(self, message: Message, delay: float = 0) -> None:
        await super().publish(message, delay)
        asyncio.get_running_loop().call_later(delay, self.open, message.task_name)

    def open(self, queue: str) -> None:
        with self.store.lend(queue) as lent:
            lent.paused = False
            self.store.wake(lent)


class OpensForWhatReturns(Wrong):
    suite = PauseConformance
    caught_by = "test_pause_holds_back_what_returns"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        await super().nack(message, delay, drop)
        await self.resume(message.task_name)


class WakesTheFirstAlone(Wrong):
    suite = PauseConformance
    caught_by = "test_resume_wakes_everybody"

    async def resume(self, queue: str) -> None:
        with self.store.lend(queue) as lent:
            lent.paused = False
            self.store._wake(next(iter(self.store._waiters)))


class CountsPauses(Wrong):
    suite = PauseConformance
    caught_by = "test_one_resume_ends_every_pause"
    pauses = 0

    async def pause(self, queue: str) -> None:
        self.pauses += 1
        await super().pause(queue)

    async def resume(self, queue: str) -> None:
        self.pauses -= 1
        if self.pauses == 0:
            await super().resume(queue)


class PausesByPrefix(Wrong):
    suite = PauseConformance
    caught_by = "test_pause_leaves_similar_names"

    async def paused(self, queue: str) -> bool:
        ends = range(1, len(queue) + 1)
        return any([await super(PausesByPrefix, self).paused(queue[:end]) for end in ends])


@pytest.mark.parametrize("wrong", Wrong.__subclasses__(), ids=lambda wrong: wrong.__name__)
def test_wrong_ability_is_caught(
    wrong: type[Wrong], assert_caught: Callable[..., None]
) -> None:
    """The fact that names the fault fails."""
    assert_caught(wrong.suite, wrong)
