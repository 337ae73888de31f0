"""What a broker is to hold, as simply as it can be said: the one model of the contract.

It knows nothing of leases, scripts or wake-ups: a message waits at its place, or a
connection holds it, or it is dead, or it has ended.
"""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ltq_core.message import Message
from ltq_core.testing.lab import CLOCKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ltq_core.dead_letter import DeadLetter


class Span(NamedTuple):
    """Between which two moments, in seconds of this process's clock, something happened."""

    began: float
    ended: float

    def after(self, seconds: float) -> Span:
        """So many seconds later."""
        return Span(self.began + seconds, self.ended + seconds)

    def surely_before(self, other: Span) -> bool:
        """Whether it was the earlier one on any clock."""
        return self.ended + CLOCKS < other.began


@dataclass(eq=False, slots=True)
class Entry:
    """A message as the model sees it.

    Attributes:
        message: What is to be handed out.
        by: The call that stored it as it is.
        delay: Seconds that the call was to delay it.
        due: When it is due.
        place: Its place among those that were delayed for as long.
        key: The unique key that it holds.
    """

    message: Message
    by: str
    delay: float
    due: Span
    place: tuple[int, int]
    key: str | None = None

    def surely_before(self, other: Entry) -> bool:
        """Whether it must be handed out before *other*, on any clock."""
        if self.delay == other.delay:
            return self.place < other.place
        return self.due.surely_before(other.due)


@dataclass(slots=True)
class Holder:
    """Which message holds a unique key, until it ends and at least until *until*."""

    id: str
    until: Span
    entry: Entry | None


@dataclass(slots=True)
class Queue:
    """What one queue is to hold."""

    waiting: list[Entry] = field(default_factory=list)
    dead: dict[str, DeadLetter] = field(default_factory=dict)  # the newest last
    keys: dict[str, Holder] = field(default_factory=dict)
    ticks: dict[str, float] = field(default_factory=dict)
    paused: bool = False

    def in_order(self) -> list[Entry]:
        """What waits, as it is to be handed out, where that is certain."""
        return sorted(self.waiting, key=lambda entry: (entry.due, entry.place))


class Held(NamedTuple):
    """What a connection was given, and what it is to say when it returns unchanged."""

    at: int
    message: Message
    entry: Entry

    @property
    def queue(self) -> str:
        """Where it was consumed from."""
        return self.message.task_name


class Model:
    """What a store is to hold.

    Attributes:
        queues: The queues, by name.
        held: What is in flight.
        settled: Deliveries that are none any more.
        fates: What became of each message that was stored, by its id.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.queues = {name: Queue() for name in names}
        self.held: list[Held] = []
        self.settled: list[Held] = []
        self.fates: dict[str, str] = {}
        self._turns = itertools.count()

    def put(
        self, messages: Sequence[Message], by: str, due: Span, delay: float = 0
    ) -> list[Entry]:
        """Let *messages*, which nobody else has, wait in their order."""
        turn, entries = next(self._turns), []
        for number, message in enumerate(messages):
            place = (turn, number)
            entry = Entry(message, by, max(delay, 0), due, place)
            self.queues[message.task_name].waiting.append(entry)
            self.fates[message.id] = f"waits since a {by}"
            entries.append(entry)
        return entries

    def hand_out(self, at: int, message: Message, entry: Entry) -> None:
        """A connection was given what waited."""
        self.queues[message.task_name].waiting.remove(entry)
        self.held.append(Held(at, message, entry))
        self.fates[message.id] = f"is held by {name_of(at)}"

    def end(self, held: Held, fate: str) -> None:
        """What was held is gone for good."""
        self.held.remove(held)
        self.settled.append(held)
        self.forget(held.entry, fate)

    def forget(self, entry: Entry, fate: str) -> None:
        """It waits no more, and holds no key."""
        self.fates[entry.message.id] = fate
        if entry.key is not None:
            self.queues[entry.message.task_name].keys[entry.key].entry = None

    def nack(self, held: Held, now: Message, due: Span, delay: float) -> None:
        """What was held waits again, as it is *now*."""
        entry = held.entry
        entry.message, entry.by = now, "nack"
        if delay > 0:
            entry.place, entry.due, entry.delay = (next(self._turns), 0), due, delay
        self._return(held)

    def close(self, at: int) -> None:
        """What a connection held waits again, as it was."""
        for held in [held for held in self.held if held.at == at]:
            held.entry.by = "close"
            self._return(held)

    def _return(self, held: Held) -> None:
        self.held.remove(held)
        self.settled.append(held)
        self.queues[held.queue].waiting.append(held.entry)
        self.fates[held.message.id] = f"waits since a {held.entry.by}"

    def returned(self) -> list[Held]:
        """Deliveries of what came back, and waits or is held again."""
        alive = {id(held.entry) for held in self.held}
        alive.update(id(entry) for queue in self.queues.values() for entry in queue.waiting)
        return [held for held in self.settled if id(held.entry) in alive]

    def clear(self, name: str) -> None:
        """All that waits in a queue is gone."""
        for entry in self.queues[name].waiting:
            self.forget(entry, "was cleared")
        self.queues[name].waiting.clear()


def plain(message: Message) -> Message:
    """A copy that shares nothing with *message*, and was not handed out."""
    args, kwargs, ctx = copy.deepcopy((message.args, message.kwargs, message.ctx))
    return Message(args, kwargs, message.task_name, ctx, message.id)


def name_of(at: int) -> str:
    """What a failure calls a connection."""
    return "ABC"[at]
