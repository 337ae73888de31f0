"""What the memory broker offers beyond the contract."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

from ltq_core import (
    DeadLetter,
    DecodeError,
    LiveWorker,
    Message,
    QueueLimits,
    QueueStats,
    now,
    revived,
    uptime,
)
from ltq_memory.leases import lost, receipt
from ltq_memory.lines import Entry

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ltq_memory.leases import Lease
    from ltq_memory.queues import Queue
    from ltq_memory.session import Session
    from ltq_memory.settings import Settings
    from ltq_memory.store import Store


class Abilities:
    """Every ability that `ltq_core.abilities` names."""

    store: Store
    settings: Settings
    _session: Session

    # SharedLimits

    async def set_limits(self, queue: str, limits: QueueLimits) -> None:
        self._session.limits[queue] = limits
        with self.store.lend(queue) as lent:
            lent.reopen()
            self.store.wake(lent)

    # DeadLetters

    async def bury(self, message: Message, letter: DeadLetter) -> None:
        if not self._bury(receipt(message), letter):
            raise lost(message)

    async def dead_letters(
        self, queue: str, ids: Collection[str] | None = None, limit: int = 1000
    ) -> list[DeadLetter]:
        with self.store.lend(queue) as lent:
            lent.dead.expire(now(), self.settings)
            return lent.dead.letters(ids, limit)

    async def requeue_dead(self, queue: str, ids: Collection[str]) -> int:
        with self.store.lend(queue) as lent:
            letters = lent.dead.letters(ids, len(ids))
            return sum(self._requeue(lent, letter) for letter in reversed(letters))

    async def delete_dead(self, queue: str, ids: Collection[str]) -> int:
        with self.store.lend(queue) as lent:
            return sum(lent.dead.remove(letter_id) for letter_id in ids)

    # UniquePublish

    async def publish_unique(
        self, message: Message, key: str, hold: float = 0, delay: float = 0
    ) -> str:
        at = now()
        entry = Entry.of(message, at + max(delay, 0), self.settings.max_message_bytes)
        with self.store.lend(message.task_name) as queue:
            standing = queue.unique.hold(key, message.id, at + hold, at)
            if standing is None:
                entry.unique = key
                self.store.put(queue, [entry])
        return standing or message.id

    # Ticks

    async def publish_tick(self, job: str, tick: float, message: Message) -> bool:
        entry = Entry.of(message, now(), self.settings.max_message_bytes)
        with self.store.lend(message.task_name) as queue:
            last = queue.ticks.get(job)
            if last is not None and tick <= last:
                return False
            queue.ticks[job] = tick
            self.store.put(queue, [entry])
            return True

    async def last_tick(self, queue: str, job: str) -> float | None:
        with self.store.lend(queue) as lent:
            return lent.ticks.get(job)

    async def time(self) -> float:
        return now()

    # Inspection

    async def queues(self) -> list[str]:
        return self.store.names()

    async def stats(self, queue: str) -> QueueStats:
        at = now()
        with self.store.lend(queue) as lent:
            due = [time for time in lent.due_times() if time <= at]
            return QueueStats(
                waiting=len(lent),
                due=len(due),
                running=lent.limiter.running,
                dead=len(lent.dead),
                oldest_due=at - min(due) if due else None,
                paused=lent.paused,
            )

    async def peek(self, queue: str, limit: int = 10) -> Sequence[Message]:
        with self.store.lend(queue) as lent:
            raws = [entry.raw for entry in lent.first(limit)]
        return [message for raw in raws if (message := _readable(raw)) is not None]

    # LiveWorkers

    async def workers(self, queue: str) -> list[LiveWorker]:
        info = {"host": platform.node(), "pid": os.getpid()}
        return [
            LiveWorker(
                id=epoch.id,
                running=sum(lease.queue.name == queue for lease in epoch.held),
                expires_in=epoch.deadline - uptime(),
                info=dict(info),
            )
            for epoch in self.store.epochs(queue)
        ]

    # Pause

    async def pause(self, queue: str) -> None:
        with self.store.lend(queue) as lent:
            lent.paused = True

    async def resume(self, queue: str) -> None:
        with self.store.lend(queue) as lent:
            lent.paused = False
            self.store.wake(lent)

    async def paused(self, queue: str) -> bool:
        with self.store.lend(queue) as lent:
            return lent.paused

    def _bury(self, lease: Lease, letter: DeadLetter) -> bool:
        return self.store.bury(lease, letter.id, letter.to_json(), self.settings)

    def _requeue(self, queue: Queue, letter: DeadLetter) -> bool:
        message = revived(letter)
        if message is None:
            return False
        queue.dead.remove(letter.id)
        self.store.put(queue, [Entry.of(message, now())])
        return True


def _readable(raw: bytes) -> Message | None:
    try:
        return Message.from_json(raw)
    except DecodeError:
        return None
