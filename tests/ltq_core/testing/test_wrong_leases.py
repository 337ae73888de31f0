"""Brokers whose leases are wrong as real ones' were: each fault is caught."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

import pytest

from ltq_core.clock import now
from ltq_core.errors import BrokerUnavailableError
from ltq_core.testing import BrokerConformance
from ltq_memory.leases import Lease, receipt
from ltq_memory.queues import Queue
from ltq_memory.session import Session
from ltq_memory.store import Store
from own_parts import OwnParts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ltq_core.message import Message
    from ltq_memory.leases import Epoch
    from ltq_memory.lines import Entry


class Wrong(OwnParts):
    """One fault, in a store or a session of its own, and the fact that must fail with it."""

    caught_by: ClassVar[str]


class NeverTakesOver(Wrong):
    """At most once: a dead worker's messages are gone."""

    caught_by = "test_message_returns_when_its_lease_ends"

    class Store(Store):
        def _end_epoch(self, epoch: Epoch, *, crashed: bool) -> None:
            self._epochs.discard(epoch)


class TakesOverWhenTrafficComes(Wrong):
    """It looks for dead workers when something is published or claimed, and only then."""

    caught_by = "test_waiting_consumer_gets_what_a_dead_worker_held"

    class Store(Store):
        def claim(self, session, names, limit):  # type: ignore[no-untyped-def]
            found = super().claim(session, names, limit)
            if not isinstance(found, list):
                found._seconds = float("inf")
            return found

        def renew(self, session: Session) -> list[Lease]:
            session.epoch.renew()
            return []


class TakesOverOneMessage(Wrong):
    caught_by = "test_all_messages_of_a_dead_worker_return"

    class Store(Store):
        def _end_epoch(self, epoch: Epoch, *, crashed: bool) -> None:
            epoch.held = set(list(epoch.held)[:1])
            super()._end_epoch(epoch, crashed=crashed)


class TakesOverToTheEnd(Wrong):
    """A dead worker's message goes behind the backlog."""

    caught_by = "test_message_of_a_dead_worker_keeps_its_place"

    class Store(Store):
        def _end_epoch(self, epoch: Epoch, *, crashed: bool) -> None:
            for lease in epoch.held:
                lease.entry.delay(now() + 60)
            super()._end_epoch(epoch, crashed=crashed)


class CountsNoCrashes(Wrong):
    caught_by = "test_every_crash_is_counted"

    class Store(Store):
        def _end_epoch(self, epoch: Epoch, *, crashed: bool) -> None:
            super()._end_epoch(epoch, crashed=False)


class CapsItsCount(Wrong):
    """It counts up to what makes a suspect: no message is ever given up."""

    caught_by = "test_every_crash_is_counted"

    class Store(Store):
        def _end_epoch(self, epoch: Epoch, *, crashed: bool) -> None:
            capped = any(lease.entry.crashes >= 2 for lease in epoch.held)
            super()._end_epoch(epoch, crashed=crashed and not capped)


class ForgetsCrashesOnNack(Wrong):
    """A nack stores a new message, which nobody ever died of."""

    caught_by = "test_nack_forgets_no_crash"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        receipt(message).entry.crashes = 0
        await super().nack(message, delay, drop)


class ForgetsDueTimes(Wrong):
    """What comes back is due when it comes back, though at its old place."""

    caught_by = "test_message_of_a_dead_worker_keeps_its_due_time"

    class Store(Store):
        def _end_epoch(self, epoch: Epoch, *, crashed: bool) -> None:
            for lease in epoch.held:
                lease.entry.due = now()
            super()._end_epoch(epoch, crashed=crashed)


class TakesTheNewestOverFirst(Wrong):
    caught_by = "test_messages_of_a_dead_worker_keep_their_order"

    class Store(Store):
        def _end_epoch(self, epoch: Epoch, *, crashed: bool) -> None:
            for lease in epoch.held:
                lease.entry.due, lease.entry.place = 0, -lease.entry.place
            super()._end_epoch(epoch, crashed=crashed)


class CountsClosingAsACrash(Wrong):
    caught_by = "test_closing_gives_back_at_once"

    class Store(Store):
        def _end_epoch(self, epoch: Epoch, *, crashed: bool) -> None:
            super()._end_epoch(epoch, crashed=True)


class MixesSuspectsWithOthers(Wrong):
    """A message that kills its workers takes innocent ones with it."""

    caught_by = "test_suspect_is_handed_out_alone"

    class Queue(Queue):
        def push(self, entry: Entry) -> bool:
            crashes, entry.crashes = entry.crashes, 0
            try:
                return super().push(entry)
            finally:
                entry.crashes = crashes

    class Store(Store):
        def _queue(self, name: str) -> Queue:
            return self._queues.setdefault(name, MixesSuspectsWithOthers.Queue(name))


class RenewsNothing(Wrong):
    """A lease ends while its worker lives: whatever takes longer runs twice."""

    caught_by = "test_lease_of_a_living_worker_is_kept"

    class Session(Session):
        def keep(self) -> None:
            pass


class RenewsInTheEventLoop(Wrong):
    """A task that blocks the loop for longer than a lease runs twice."""

    caught_by = "test_lease_of_a_blocked_worker_is_kept"

    class Session(Session):
        renewing: asyncio.Task[None] | None = None

        def keep(self) -> None:
            if self.renewing is None:
                self.renewing = asyncio.ensure_future(self._renew())

        async def _renew(self) -> None:
            while True:
                self._store.renew(self)
                await asyncio.sleep(self.settings.lease / 3)


class RenewsWhatItLost(Wrong):
    """A worker that was frozen takes its lease up again, as if nothing had happened."""

    caught_by = "test_lost_lease_is_not_renewed"

    class Store(Store):
        def renew(self, session: Session) -> list[Lease]:
            epoch = session.epoch
            if epoch is not None and epoch not in self._epochs:
                self._epochs.add(epoch)
                epoch.held.update(epoch.lost)
            return super().renew(session)

        def _release(self, lease: Lease) -> bool:
            if lease.entry in [each.entry for each in lease.epoch.lost]:
                self.put(lease.queue, [lease.entry])
                return True
            return super()._release(lease)


class AcksWhatAnotherHolds(Wrong):
    """It settles by id, whoever holds the message now."""

    caught_by = "test_late_ack_settles_nothing"

    async def ack(self, message: Message) -> None:
        mine = receipt(message).entry
        for epoch in self.store.epochs(message.task_name):
            self.store.ack([lease for lease in epoch.held if lease.entry is mine])


class NacksWhatAnotherHolds(Wrong):
    """A late retry adds the message once more."""

    caught_by = "test_late_nack_doubles_nothing"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        await self.ack_many([message])
        if not drop:
            await self.publish(message, delay)


class DropsWhatWaitsAgain(Wrong):
    """A late drop removes the message from the queue."""

    caught_by = "test_late_settling_touches_no_returned_message"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        if drop:
            await self.clear(message.task_name)
        await super().nack(message, delay, drop)


class SaysNothingOfALostLease(Wrong):
    caught_by = "test_late_bulk_ack_tells_what_was_lost"

    class Store(Store):
        def ack(self, leases: Iterable[Lease]) -> list[bool]:
            return [held or True for held in super().ack(leases)]


class StaysDeadOnceItLostItsLease(Wrong):
    caught_by = "test_lease_after_a_lost_one_is_kept"

    class Store(Store):
        def _join(self, session: Session) -> Epoch:
            if session.epoch is not None and session.epoch not in self._epochs:
                raise BrokerUnavailableError("The lease was lost.")
            return super()._join(session)

        def renew(self, session: Session) -> list[Lease]:
            return []

    fails_with = BrokerUnavailableError


class GivesBackWhatItLost(Wrong):
    caught_by = "test_closing_late_gives_back_nothing"

    async def consume(self, queue: str) -> Message:
        self.last = await super().consume(queue)
        return self.last

    async def close(self) -> None:
        await super().close()
        if hasattr(self, "last"):
            await self.publish(self.last)


class CountsCrashesById(Wrong):
    """Nothing ever takes an id out of its table of crashes."""

    caught_by = "test_message_published_anew_has_no_crashes"
    counts: ClassVar[dict[str, int]] = {}

    def _decoded(self, leases: Sequence[Lease]) -> list[Message]:
        decoded = super()._decoded(leases)
        for message in decoded:
            assert message.delivery is not None
            most = max(message.delivery.crashes, self.counts.get(message.id, 0))
            message.delivery.crashes = self.counts[message.id] = most
        return decoded


class RenewsNothingAfterALoss(Wrong):
    """Its thread goes on for a name that the store has forgotten."""

    caught_by = "test_lease_after_a_lost_one_is_kept"

    class Session(Session):
        has_lost = False

        def _beat(self) -> Sequence[Lease]:
            lost = () if self.has_lost else super()._beat()
            self.has_lost = self.has_lost or bool(lost)
            return lost


class ClearsWhatTheDeadHeld(Wrong):
    """It deletes the bodies: a worker that lives has them in its memory."""

    caught_by = "test_clear_keeps_what_a_dead_worker_held"

    class Store(Store):
        def __init__(self) -> None:
            super().__init__()
            self.cleared: set[Lease] = set()

        def _end_epoch(self, epoch: Epoch, *, crashed: bool) -> None:
            if crashed:
                epoch.held -= self.cleared
            super()._end_epoch(epoch, crashed=crashed)

    async def clear(self, queue: str) -> None:
        await super().clear(queue)
        for epoch in self.store.epochs(queue):
            self.store.cleared |= epoch.held


@pytest.mark.parametrize("wrong", Wrong.__subclasses__(), ids=lambda wrong: wrong.__name__)
def test_wrong_broker_is_caught(wrong: type[Wrong], assert_caught: Callable[..., None]) -> None:
    """The fact that names the fault fails."""
    assert_caught(BrokerConformance, wrong)
