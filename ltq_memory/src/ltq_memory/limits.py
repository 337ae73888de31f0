"""What keeps a queue's messages back: rate slots, and places for those in flight."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ltq_core import QueueLimits, Rate
    from ltq_memory.lines import Entry

LATENESS = 0.02
"""Seconds by which a waiter may wake too late without costing a slot. It bounds by how
much a window of one second may exceed the rate: 2 %."""

_PRUNE_FROM = 1000


class _Slots:
    """The evenly spaced slots of one rate limit (a GCRA)."""

    __slots__ = ("contended", "next")

    def __init__(self) -> None:
        self.next = 0.0
        self.contended = False

    def opens_at(self, rate: Rate) -> float:
        return self.next - (rate.burst - 1) * rate.interval

    def take(self, rate: Rate, now: float) -> None:
        # Who waited for this slot has it even if the timer was late: the spacing
        # counts from the slot, or every late wake would lower the rate.
        late = now - self.next
        start = self.next if late <= (LATENESS if self.contended else 0) else now
        self.next = start + rate.interval
        self.contended = False


class Limiter:
    """The state of one queue's limits, which all workers share."""

    def __init__(self) -> None:
        self._slots: dict[str | None, _Slots] = {}
        self._running: Counter[str | None] = Counter()
        self._prune_at = _PRUNE_FROM
        self._last_slot = 0.0
        self.running = 0

    def opens_at(self, limits: QueueLimits, entry: Entry | None) -> float:
        """When *entry* may start, or with None any entry at all.

        What counts by key is asked for an entry, what counts for the whole queue
        without one. Infinite: not before one in flight ends.
        """
        keyed = entry is not None
        if limits.concurrency is not None and limits.concurrency_keyed is keyed:
            running = self._running[entry.concurrency_key] if entry else self.running
            if running >= limits.concurrency:
                return math.inf
        if limits.rate is not None and limits.rate_keyed is keyed:
            return self._slot(limits, entry).opens_at(limits.rate)
        return 0.0

    def refused(self, limits: QueueLimits, entry: Entry | None, now: float) -> None:
        """Note that somebody waits for the next slot."""
        if limits.rate is not None and limits.rate_keyed is (entry is not None):
            slot = self._slot(limits, entry)
            slot.contended = slot.opens_at(limits.rate) > now

    def start(self, limits: QueueLimits, entry: Entry, now: float) -> None:
        """Count *entry* as started."""
        self.running += 1
        self._running[entry.concurrency_key] += 1
        if limits.rate is not None:
            slots = self._slot(limits, entry)
            slots.take(limits.rate, now)
            self._last_slot = max(self._last_slot, slots.next)
            self._prune(now)

    def end(self, entry: Entry) -> None:
        """Count *entry* as no longer in flight."""
        self.running -= 1
        self._running[entry.concurrency_key] -= 1
        if not self._running[entry.concurrency_key]:
            del self._running[entry.concurrency_key]

    def idle(self, now: float) -> bool:
        """Whether nothing is in flight and no slot lies ahead."""
        return not self.running and self._last_slot <= now

    def _slot(self, limits: QueueLimits, entry: Entry | None) -> _Slots:
        key = entry.rate_key if entry is not None and limits.rate_keyed else None
        return self._slots.setdefault(key, _Slots())

    def _prune(self, now: float) -> None:
        if len(self._slots) >= self._prune_at:
            past = [key for key, slot in self._slots.items() if slot.next <= now]
            for key in past:
                del self._slots[key]
            self._prune_at = _PRUNE_FROM + 2 * len(self._slots)
