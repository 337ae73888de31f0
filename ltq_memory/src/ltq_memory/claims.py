"""Which messages a claim leases, and how long to wait when there are none."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

from ltq_core import Delivery, QueueLimits, now, uptime
from ltq_memory.leases import Epoch, Lease

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ltq_memory.lines import Entry
    from ltq_memory.queues import Queue
    from ltq_memory.session import Session

_NO_LIMITS = QueueLimits()


class Claim:
    """One look of one epoch at its queues, while the store is locked.

    A suspect is handed out alone: to an epoch that holds nothing, and nothing else
    while it is held. So that a busy worker's suspects get their turn, one of the busy
    epochs takes nothing more until it holds nothing.
    """

    def __init__(
        self, session: Session, epoch: Epoch, queues: Sequence[Queue], living: Collection[Epoch]
    ) -> None:
        self._session = session
        self._epoch = epoch
        self._queues = queues
        self._living = living
        self._now = now()
        self._closed = False

    def leases(self, limit: int) -> list[Lease]:
        """Lease up to *limit* messages, in turn from each queue."""
        suspicious = [queue for queue in self._queues if self._suspect_at(queue) <= self._now]
        if not self._epoch.held and (leases := self._take_suspect(suspicious)):
            return leases
        self._epoch.awaits_idleness = bool(suspicious) or self._epoch.suspect
        self._closed = self._epoch.suspect or self._drains(suspicious)
        return [] if self._closed else self._take_regular(limit)

    def pause(self) -> float:
        """Seconds for which nothing can be leased; infinite if only a call ends that."""
        stamp = uptime()
        others = [epoch for epoch in self._living if epoch.held and epoch is not self._epoch]
        times = [epoch.deadline - stamp for epoch in others]
        if not self._closed:
            times += [self._regular_at(queue) - self._now for queue in self._queues]
        suspects = [self._suspect_at(queue) - self._now for queue in self._queues]
        times += [seconds for seconds in suspects if seconds > 0]
        return min(times, default=math.inf)

    def _take_regular(self, limit: int) -> list[Lease]:
        leases: list[Lease] = []
        turns = deque(self._queues)
        turns.rotate(-self._session.turn)
        self._session.turn += 1
        while turns and len(leases) < limit:
            queue = turns.popleft()
            entry = queue.take(self._now, self._limits(queue))
            if entry is not None:
                leases.append(self._lease(queue, entry))
                turns.append(queue)
        return leases

    def _take_suspect(self, queues: Sequence[Queue]) -> list[Lease]:
        for queue in queues:
            entry = queue.take(self._now, self._limits(queue), suspect=True)
            if entry is not None:
                self._epoch.suspect = True
                return [self._lease(queue, entry)]
        return []

    def _drains(self, suspicious: Sequence[Queue]) -> bool:
        if not self._epoch.held:
            return False
        for queue in suspicious:
            if queue.drained_by not in self._living:
                queue.drained_by = self._epoch
        return any(queue.drained_by is self._epoch for queue in suspicious)

    def _lease(self, queue: Queue, entry: Entry) -> Lease:
        delivery = Delivery(None, entry.due, self._now, entry.crashes)
        delivery.receipt = lease = Lease(entry, queue, self._epoch, delivery)
        self._epoch.held.add(lease)
        return lease

    def _limits(self, queue: Queue) -> QueueLimits:
        return self._session.limits.get(queue.name, _NO_LIMITS)

    def _regular_at(self, queue: Queue) -> float:
        return queue.next_at(self._limits(queue))

    def _suspect_at(self, queue: Queue) -> float:
        return queue.next_at(self._limits(queue), suspect=True)
