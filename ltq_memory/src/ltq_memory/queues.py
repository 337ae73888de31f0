"""One queue: what waits in it, what holds that back, and what outlives it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ltq_memory.graveyard import Graveyard
from ltq_memory.limits import Limiter
from ltq_memory.lines import SUSPECT, Entry, Line
from ltq_memory.unique import UniqueKeys

if TYPE_CHECKING:
    from ltq_core import QueueLimits
    from ltq_memory.leases import Epoch


class Queue:
    """One queue of a store; every call holds the store's lock."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.limiter = Limiter()
        self.dead = Graveyard()
        self.unique = UniqueKeys()
        self.ticks: dict[str, float] = {}
        self.paused = False
        self.drained_by: Epoch | None = None
        self._clear()

    def _clear(self) -> None:
        self._waiting: dict[bytes, Entry] = {}
        self._regular = Line()
        self._suspects = Line()

    def __len__(self) -> int:
        return len(self._waiting)

    def push(self, entry: Entry) -> bool:
        """Let *entry* wait; whether whoever waits for messages should look.

        The same bytes, while they wait, stay one message.
        """
        if (standing := self._waiting.get(entry.raw)) is not None:
            standing.unique = standing.unique or entry.unique
            return False
        self._waiting[entry.raw] = entry
        return self._line(entry.crashes >= SUSPECT).push(entry)

    def take(self, now: float, limits: QueueLimits, *, suspect: bool = False) -> Entry | None:
        """Remove the next entry that may start now, and count it as started."""
        line = self._line(suspect)
        if self.paused or line.next_at() > now or self._refuses(now, limits, None) > now:
            return None
        entry = line.take(now, lambda entry: self._refuses(now, limits, entry))
        if entry is not None:
            del self._waiting[entry.raw]
            self.limiter.start(limits, entry, now)
        return entry

    def next_at(self, limits: QueueLimits, *, suspect: bool = False) -> float:
        """When `take` may next succeed; infinite if only a call can change that."""
        at = self._line(suspect).next_at()
        if self.paused or at == math.inf:
            return math.inf
        return max(at, self.limiter.opens_at(limits, None))

    def end(self, entry: Entry) -> None:
        """Count *entry* as no longer in flight."""
        self.limiter.end(entry)
        self._regular.unpark(entry.concurrency_key)
        self._suspects.unpark(entry.concurrency_key)

    def reopen(self) -> None:
        """Ask again for all that waits: its limits have changed."""
        self._regular.reopen()
        self._suspects.reopen()

    def forget(self, entry: Entry, now: float) -> None:
        """Let go of the unique key of an entry that came to its end."""
        if entry.unique is not None:
            self.unique.release(entry.unique, now)

    def clear(self, now: float) -> None:
        """Forget all that waits."""
        for entry in self._waiting.values():
            self.forget(entry, now)
        self._clear()

    def first(self, limit: int) -> list[Entry]:
        """The next *limit* waiting entries by due time."""
        both = self._regular.first(limit) + self._suspects.first(limit)
        return sorted(both, key=lambda entry: (entry.due, entry.place))[:limit]

    def due_times(self) -> list[float]:
        """The due time of every waiting entry, in no order."""
        return [entry.due for entry in self._waiting.values()]

    def holds_anything(self) -> bool:
        """Whether a message waits, is in flight, or is dead."""
        return bool(self._waiting or self.limiter.running or self.dead)

    def is_spent(self, now: float) -> bool:
        """Whether forgetting this queue changes nothing."""
        return not (
            self.holds_anything()
            or self.paused
            or self.ticks
            or self.unique.held(now)
            or not self.limiter.idle(now)
        )

    def _line(self, suspect: bool) -> Line:
        return self._suspects if suspect else self._regular

    def _refuses(self, now: float, limits: QueueLimits, entry: Entry | None) -> float:
        at = self.limiter.opens_at(limits, entry)
        if at > now:
            self.limiter.refused(limits, entry, now)
        return at
