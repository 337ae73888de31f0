"""Messages that wait, in order: an `Entry` each, in lanes that may be held up apart."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from heapq import heappop, heappush, nsmallest
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from ltq_core import EncodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ltq_core import Message

SUSPECT = 2
"""Crashes from which on a message is handed out alone (the worker gives up at five)."""

_places = count()


@dataclass(slots=True, eq=False)
class Entry:
    """One stored message; the same object from its publish to its end.

    Attributes:
        raw: Its JSON bytes: nothing that is stored is shared with a caller.
        due: When it is due, in seconds since the epoch.
        place: Its place among those due at one time.
        crashes: Leases on it that ended with their worker.
        rate_key: What keyed rate limits count by, from ``ctx``.
        concurrency_key: Likewise for keyed concurrency limits.
        unique: The unique key that it holds.
    """

    raw: bytes
    due: float
    place: int = field(default_factory=_places.__next__)
    crashes: int = 0
    rate_key: str | None = None
    concurrency_key: str | None = None
    unique: str | None = None

    @classmethod
    def of(cls, message: Message, due: float, most_bytes: float = math.inf) -> Entry:
        """The entry that stores *message*, due at *due*.

        Raises:
            EncodeError: It is no JSON, or larger than *most_bytes*.
        """
        raw = message.to_json()
        if len(raw) > most_bytes:
            raise EncodeError(
                f"Message {message.id} of task '{message.task_name}' has {len(raw)} bytes, "
                f"more than the {most_bytes} that max_message_bytes allows."
            )
        ctx = message.ctx
        return cls(
            raw,
            due,
            rate_key=_key(ctx.get("rate_key")),
            concurrency_key=_key(ctx.get("concurrency_key")),
        )

    def delay(self, due: float) -> None:
        """Be due at *due*, behind all that are due then already."""
        self.due, self.place = due, next(_places)


def _key(value: Any) -> str | None:
    return None if value is None else repr(value)


class _Ticket(NamedTuple):
    """A lane's turn: when it may be asked, and the place of its first entry."""

    at: float
    place: int
    lane: _Lane


class _Lane:
    """The entries of one pair of limit keys, which a limit holds up together."""

    __slots__ = ("entries", "parked", "ticket")

    def __init__(self) -> None:
        self.entries: list[tuple[float, int, Entry]] = []
        self.ticket: _Ticket | None = None
        self.parked = False


class Line:
    """Waiting entries by due time; those of one key never overtake each other.

    An entry without limit keys stands in the one lane of all such entries. A heap of
    tickets orders the lanes; a ticket that is no longer its lane's own is stale and
    is skipped. Every step costs O(log n).
    """

    def __init__(self) -> None:
        self._lanes: dict[tuple[str | None, str | None], _Lane] = {}
        self._tickets: list[_Ticket] = []
        self._parked: dict[str | None, list[_Lane]] = {}

    def __iter__(self) -> Iterator[Entry]:
        return (entry for lane in self._lanes.values() for _, _, entry in lane.entries)

    def __bool__(self) -> bool:
        return bool(self._lanes)

    def push(self, entry: Entry) -> bool:
        """Add *entry*; whether it is now the first of its lane."""
        lane = self._lanes.setdefault((entry.rate_key, entry.concurrency_key), _Lane())
        heappush(lane.entries, (entry.due, entry.place, entry))
        first = lane.entries[0][2] is entry
        if first and not lane.parked:
            self._schedule(lane, entry.due)
        return first

    def take(self, now: float, opens_at: Callable[[Entry], float]) -> Entry | None:
        """Remove and return the first due entry that may go; None if there is none.

        Args:
            now: Seconds since the epoch.
            opens_at: When an entry may go: infinite where only `unpark` can tell.
        """
        while self.next_at() <= now:
            lane = heappop(self._tickets).lane
            entry = lane.entries[0][2]
            at = opens_at(entry)
            if at <= now:
                self._pop(lane, entry)
                return entry
            self._hold(lane, entry, at)
        return None

    def next_at(self) -> float:
        """When an entry may next go; infinite if nothing but a call can change that."""
        tickets = self._tickets
        while tickets and tickets[0].lane.ticket is not tickets[0]:
            heappop(tickets)
        return tickets[0].at if tickets else math.inf

    def unpark(self, concurrency_key: str | None) -> None:
        """Ask again for the entries of a key that was full."""
        for lane in self._parked.pop(concurrency_key, ()):
            lane.parked = False
            self._schedule(lane, lane.entries[0][0])

    def reopen(self) -> None:
        """Ask again for every entry: what held it up may be gone."""
        self._parked.clear()
        for lane in self._lanes.values():
            lane.parked = False
            self._schedule(lane, lane.entries[0][0])

    def first(self, limit: int) -> list[Entry]:
        """The first *limit* entries by due time."""
        return nsmallest(limit, self, key=lambda entry: (entry.due, entry.place))

    def _schedule(self, lane: _Lane, at: float) -> None:
        lane.ticket = _Ticket(at, lane.entries[0][1], lane)
        heappush(self._tickets, lane.ticket)

    def _hold(self, lane: _Lane, entry: Entry, at: float) -> None:
        if at < math.inf:
            self._schedule(lane, at)
        else:
            lane.parked = True
            self._parked.setdefault(entry.concurrency_key, []).append(lane)

    def _pop(self, lane: _Lane, entry: Entry) -> None:
        heappop(lane.entries)
        if lane.entries:
            self._schedule(lane, lane.entries[0][0])
        else:
            del self._lanes[entry.rate_key, entry.concurrency_key]
