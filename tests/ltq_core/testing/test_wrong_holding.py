"""Brokers that let go of what a living worker holds, or take a dead one's over wrongly."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from ltq_core.clock import now, uptime
from ltq_core.testing import BrokerConformance
from ltq_memory.lines import Entry
from ltq_memory.session import Session
from ltq_memory.store import Store
from own_parts import OwnParts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ltq_core.message import Message
    from ltq_memory.leases import Epoch, Lease


class Wrong(OwnParts):
    """One fault, in a store or a session of its own, and the fact that must fail with it."""

    caught_by: ClassVar[str]
    fails_with: ClassVar[type[BaseException]] = AssertionError


class RenewsUntilItsFirstAck(Wrong):
    """Whatever is acked, it renews no more: it thinks of one message at a time."""

    caught_by = "test_lease_is_kept_after_an_ack"

    async def ack_many(self, messages: Sequence[Message]) -> list[Message]:
        self._session.drop()
        return await super().ack_many(messages)


class RenewsUntilItsFirstNack(Wrong):
    caught_by = "test_lease_is_kept_after_a_nack"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        self._session.drop()
        await super().nack(message, delay, drop)


class RenewsUntilItsRelease(Wrong):
    """A worker that stops is as good as dead, and what it still runs, runs twice."""

    caught_by = "test_lease_is_kept_after_a_release"

    async def release(self) -> None:
        self._session.drop()


class RenewsUntilAConsumeIsCancelled(Wrong):
    """The task that renews belongs to the call, and ends with it."""

    caught_by = "test_lease_is_kept_after_a_cancelled_consume"

    async def consume(self, queue: str) -> Message:
        try:
            return await super().consume(queue)
        except asyncio.CancelledError:
            self._session.drop()
            raise


class RenewsNotWhileItWaits(Wrong):
    """Its only connection waits for the next message."""

    caught_by = "test_lease_is_kept_while_a_consume_waits"

    class Session(Session):
        def _beat(self) -> Sequence[Lease]:
            waits = any(waiter.owner is self for waiter in list(self._store._waiters))
            return [] if waits else super()._beat()


class RenewsInItsFirstLoop(Wrong):
    """What renews is started once, and ends soon after the event loop of that time."""

    caught_by = "test_lease_in_a_later_event_loop_is_kept"

    class Session(Session):
        started = False

        def keep(self) -> None:
            if not self.started:
                self.started = True
                self.settings = replace(self.settings, stuck=0.05)
                super().keep()


class TakesOverOneQueue(Wrong):
    caught_by = "test_all_queues_of_a_dead_worker_return"

    class Store(Store):
        def _end_epoch(self, epoch: Epoch, *, crashed: bool) -> None:
            first = min(epoch.held, key=lambda lease: lease.entry.place, default=None)
            epoch.held = {one for one in epoch.held if first and one.queue is first.queue}
            super()._end_epoch(epoch, crashed=crashed)


class TakesOverFromOlderWorkers(Wrong):
    """It looks after those that were there when it came."""

    caught_by = "test_older_worker_takes_over"

    class Store(Store):
        ages: dict[str, int]

        def _join(self, session: Session) -> Epoch:
            epoch = super()._join(session)
            self.__dict__.setdefault("ages", {}).setdefault(epoch.id, len(self.ages))
            return epoch

        def _reap(self, besides: Epoch | None = None) -> None:
            ages = self.__dict__.get("ages", {})
            alive = [ages[one.id] for one in self._epochs if one.deadline > uptime()]
            over = [
                one for one in self._epochs if one.deadline <= uptime() and one is not besides
            ]
            for epoch in [one for one in over if ages[one.id] < max(alive, default=-1)]:
                self._end_epoch(epoch, crashed=True)


class TakesOverTwice(Wrong):
    """Everybody who waits finds the dead worker, and brings its messages back."""

    caught_by = "test_message_of_a_dead_worker_goes_to_one"

    class Store(Store):
        def _end_epoch(self, epoch: Epoch, *, crashed: bool) -> None:
            held = list(epoch.held)
            super()._end_epoch(epoch, crashed=crashed)
            for lease in held:
                again = Entry(lease.entry.raw + b" ", lease.entry.due)
                self.put(lease.queue, [again] if crashed else [])


class TakesOverWhatWasPublished(Wrong):
    """It keeps the first bytes of a message for its takeover, whatever was nacked since."""

    caught_by = "test_message_of_a_dead_worker_is_as_it_was_stored_last"
    fails_with = KeyError  # there is no ctx["tries"] yet

    class Store(Store):
        def __init__(self) -> None:
            super().__init__()
            self.first: dict[Entry, bytes] = {}

        def put_back(self, lease: Lease, raw: bytes, due: float | None) -> bool:
            self.first.setdefault(lease.entry, lease.entry.raw)
            return super().put_back(lease, raw, due)

        def _end_epoch(self, epoch: Epoch, *, crashed: bool) -> None:
            for lease in epoch.held:
                lease.entry.raw = self.first.get(lease.entry, lease.entry.raw)
            super()._end_epoch(epoch, crashed=crashed)


class DelaysAnewWhatItTakesOver(Wrong):
    """The delay of the last nack begins again with the takeover."""

    caught_by = "test_message_of_a_dead_worker_is_as_it_was_stored_last"

    class Store(Store):
        def _end_epoch(self, epoch: Epoch, *, crashed: bool) -> None:
            for lease in epoch.held:
                lease.entry.due = now() + 0.05
            super()._end_epoch(epoch, crashed=crashed)


@pytest.mark.parametrize("wrong", Wrong.__subclasses__(), ids=lambda wrong: wrong.__name__)
def test_wrong_broker_is_caught(wrong: type[Any], assert_caught: Callable[..., None]) -> None:
    """The fact that names the fault fails."""
    assert_caught(BrokerConformance, wrong)
