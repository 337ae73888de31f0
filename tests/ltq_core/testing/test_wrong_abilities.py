"""Abilities that are wrong as real ones were: each fault is caught."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

import pytest

from ltq_core.testing import (
    LiveWorkersConformance,
    PauseConformance,
    TicksConformance,
)
from ltq_memory.broker import MemoryBroker

if TYPE_CHECKING:
    from collections.abc import Callable

    from ltq_core.abilities import LiveWorker
    from ltq_core.message import Message
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


@pytest.mark.parametrize("wrong", Wrong.__subclasses__(), ids=lambda wrong: wrong.__name__)
def test_wrong_ability_is_caught(
    wrong: type[Wrong], assert_caught: Callable[..., None]
) -> None:
    """The fact that names the fault fails."""
    assert_caught(wrong.suite, wrong)
