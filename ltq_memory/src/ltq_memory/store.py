"""The queues of one name: what every handle, thread and loop meets."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ltq_core import BrokerUnavailableError, now, uptime
from ltq_memory.claims import Claim
from ltq_memory.leases import Epoch, Lease
from ltq_memory.queues import Queue
from ltq_memory.waiters import Waiter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ltq_memory.lines import Entry
    from ltq_memory.session import Session
    from ltq_memory.settings import Settings


class Store:
    """Thread-safe queues and the leases on their messages.

    One lock guards everything, and nothing waits while it is held. Whoever finds no
    message leaves a `Waiter`; whatever may change that answer wakes it. A call on a
    `Queue` belongs inside `lend`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: dict[str, Queue] = {}
        self._epochs: set[Epoch] = set()
        self._waiters: dict[Waiter, None] = {}  # in the order in which they came

    @contextmanager
    def lend(self, name: str) -> Iterator[Queue]:
        """The queue *name*, made if need be, for as long as the store is locked."""
        with self._lock:
            self._reap()
            queue = self._queue(name)
            yield queue
            self._tidy(queue)

    def names(self) -> list[str]:
        """The queues that hold anything, sorted."""
        with self._lock:
            return sorted(
                name for name, queue in self._queues.items() if queue.holds_anything()
            )

    def epochs(self, name: str) -> list[Epoch]:
        """The epochs that have a lease on the queue *name*."""
        with self._lock:
            self._reap()
            return [epoch for epoch in self._epochs if name in epoch.queues]

    def put(self, queue: Queue, entries: Iterable[Entry]) -> None:
        """Let *entries* wait in a queue that is lent."""
        first = [queue.push(entry) for entry in entries]
        if any(first):
            self.wake(queue)

    def wake(self, queue: Queue) -> None:
        """Let whoever waits for a queue that is lent look again."""
        for waiter in [waiter for waiter in self._waiters if queue.name in waiter.queues]:
            self._wake(waiter)

    def claim(self, session: Session, names: Sequence[str], limit: int) -> list[Lease] | Waiter:
        """Lease up to *limit* due messages, or leave a waiter for them.

        The waiter must be given to `forget` in the end.
        """
        with self._lock:
            self._reap(besides=session.epoch)
            epoch = self._join(session)
            epoch.queues.update(names)
            queues = [queue for name in names if (queue := self._queues.get(name)) is not None]
            claim = Claim(session, epoch, queues, self._epochs)
            if leases := claim.leases(limit):
                if epoch.suspect:
                    self.wake(leases[0].queue)  # for whoever drained to take it
                return leases
            waiter = Waiter(session, names, claim.pause())
            self._waiters[waiter] = None
            return waiter

    def forget(self, waiter: Waiter) -> None:
        """Wake *waiter* no more."""
        with self._lock:
            self._waiters.pop(waiter, None)

    def ack(self, leases: Iterable[Lease]) -> list[bool]:
        """Settle *leases* as done; for each, whether it was still held."""
        with self._lock:
            return [self._end(lease) for lease in leases]

    def bury(self, lease: Lease, letter_id: str, letter: bytes, settings: Settings) -> bool:
        """Keep *letter* in the stead of the message of *lease*; whether it was still held."""
        with self._lock:
            if lease in lease.epoch.held:
                lease.queue.dead.bury(letter_id, letter, now(), settings)
            return self._end(lease)

    def put_back(self, lease: Lease, raw: bytes, due: float | None) -> bool:
        """Let the message of *lease* wait again as *raw*; whether it was still held.

        It is due at *due*, or without it stands at its old place.
        """
        with self._lock:
            if not self._release(lease):
                return False
            lease.entry.raw = raw
            if due is not None:
                lease.entry.delay(due)
            self.put(lease.queue, [lease.entry])
            return True

    def renew(self, session: Session) -> list[Lease]:
        """Renew the lease of *session*; those that ended are returned, once."""
        with self._lock:
            self._reap(besides=session.epoch)
            epoch = session.epoch
            if epoch is None or epoch in self._epochs:
                if epoch is not None:
                    epoch.renew()
                return []
            session.epoch = None
            return epoch.lost

    def leave(self, session: Session) -> None:
        """Give back at once what *session* holds, and wait for nothing more."""
        with self._lock:
            if session.epoch in self._epochs:
                self._end_epoch(session.epoch, crashed=False)
            session.epoch = None
            for waiter in [waiter for waiter in self._waiters if waiter.owner is session]:
                self._wake(waiter, BrokerUnavailableError("This broker was closed meanwhile."))

    def _queue(self, name: str) -> Queue:
        if (queue := self._queues.get(name)) is None:
            queue = self._queues[name] = Queue(name)
        return queue

    def _tidy(self, queue: Queue) -> None:
        if queue.is_spent(now()):
            self._queues.pop(queue.name, None)

    def _join(self, session: Session) -> Epoch:
        # A lease that ended unnoticed still counts, and is renewed: nobody took it.
        epoch = session.epoch
        if epoch is None or epoch not in self._epochs:
            epoch = session.epoch = Epoch(session.settings.lease)
            self._epochs.add(epoch)
        elif epoch.deadline <= uptime():
            epoch.renew()
        return epoch

    def _reap(self, besides: Epoch | None = None) -> None:
        at = uptime()
        for epoch in [epoch for epoch in self._epochs if epoch.deadline <= at]:
            if epoch is not besides:
                self._end_epoch(epoch, crashed=True)

    def _end_epoch(self, epoch: Epoch, *, crashed: bool) -> None:
        self._epochs.discard(epoch)
        epoch.lost = list(epoch.held)
        for lease in epoch.lost:
            self._release(lease)
            lease.delivery.lease_lost = True
            lease.entry.crashes += crashed
            self.put(lease.queue, [lease.entry])

    def _end(self, lease: Lease) -> bool:
        held = self._release(lease)
        if held:
            lease.queue.forget(lease.entry, now())
            self._tidy(lease.queue)
        return held

    def _release(self, lease: Lease) -> bool:
        if lease not in lease.epoch.held:
            lease.delivery.lease_lost = True
            return False
        lease.epoch.release(lease)
        lease.queue.end(lease.entry)
        if lease.queue:
            self.wake(lease.queue)  # a place below its limit may be free
        if lease.epoch.awaits_idleness and not lease.epoch.held:
            for waiter in list(self._waiters):
                self._wake(waiter)
        return True

    def _wake(self, waiter: Waiter, error: Exception | None = None) -> None:
        self._waiters.pop(waiter, None)
        waiter.wake(error)
