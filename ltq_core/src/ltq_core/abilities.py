"""What a broker may offer beyond the `Broker` contract, each found by `isinstance`.

Where it is not said otherwise, a method raises `BrokerUnavailableError` if the store did not
answer, and calling it again is safe; one that changes anything may then, or if it is
cancelled, have taken effect, of several ids for some. As all of a broker's methods, these
are safe from several tasks, threads and event loops.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ltq_core.dead_letter import REASONS, DeadLetter, Reason, revived, undecodable

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ltq_core.message import Message

__all__ = [
    "ABILITIES",
    "REASONS",
    "DeadLetter",
    "DeadLetters",
    "Inspection",
    "LiveWorker",
    "LiveWorkers",
    "Pause",
    "QueueLimits",
    "QueueStats",
    "Rate",
    "Reason",
    "SharedLimits",
    "Ticks",
    "UniquePublish",
    "abilities_of",
    "revived",
    "undecodable",
]


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate limit as evenly spaced slots.

    Attributes:
        interval: Seconds between two slots.
        burst: How many may start at once after a pause.
    """

    interval: float
    burst: int = 1


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """What one queue may start, for all workers together.

    Attributes:
        rate: The rate limit, or None.
        concurrency: How many messages may be in flight, or None.
        rate_keyed: The rate counts for each value of ``ctx["rate_key"]`` alone.
        concurrency_keyed: Likewise for ``ctx["concurrency_key"]``.
    """

    rate: Rate | None = None
    concurrency: int | None = None
    rate_keyed: bool = False
    concurrency_keyed: bool = False

    def __or__(self, other: QueueLimits) -> QueueLimits:
        """Both limits together; where both set one, *other* stands."""
        return QueueLimits(
            self.rate if other.rate is None else other.rate,
            self.concurrency if other.concurrency is None else other.concurrency,
            self.rate_keyed or other.rate_keyed,
            self.concurrency_keyed or other.concurrency_keyed,
        )


@dataclass(frozen=True, slots=True)
class QueueStats:
    """Figures of one queue.

    Attributes:
        waiting: Messages that are due or delayed, not in flight.
        due: Those of them that are due.
        running: Messages in flight.
        dead: Dead letters.
        oldest_due: Seconds that the oldest due message has been waiting, or None.
        paused: Whether the queue hands out nothing at present.
    """

    waiting: int
    due: int
    running: int
    dead: int = 0
    oldest_due: float | None = None
    paused: bool = False


@dataclass(frozen=True, slots=True)
class LiveWorker:
    """A worker that holds a lease on a queue.

    Attributes:
        id: The worker's id at the store.
        running: Messages that it holds.
        expires_in: Seconds until its lease ends, unless it is renewed.
        info: What else the broker knows, such as the host.
    """

    id: str
    running: int
    expires_in: float
    info: dict[str, Any] = field(default_factory=dict)


@runtime_checkable
class SharedLimits(Protocol):
    """Limits that hold for all workers of a queue together."""

    async def set_limits(self, queue: str, limits: QueueLimits) -> None:
        """Gate this broker's claims from *queue* by *limits*.

        Called once per queue when a worker starts, before its first claim; with an empty
        `QueueLimits` for a queue without limits, so that nothing goes on waiting for a
        limit that was declared no longer. The state
        (slots given, messages in flight) is kept in the store, so that every worker
        counts; what no worker uses any more expires.

        A waiting message keeps its place and takes no worker slot. Rate slots may be
        reserved up to 0.1 s ahead; such a message is handed out at its slot. Slots that
        nobody used are gone. A message is in flight until it is settled, whatever becomes
        of its queue. Those without a key share one limit of their own.

        Raises:
            BrokerUnavailableError: The store did not answer.
        """
        ...


@runtime_checkable
class DeadLetters(Protocol):
    """Keeps what was given up, bounded in number and age: the oldest letters go.

    Ids are those of messages. An id has one letter in a queue: one that is published
    again while its letter stands, and dies too, has the newer one. An id that is unknown
    in *queue*, or named twice, changes nothing, and neither does an empty collection: it
    never stands for all.
    """

    async def bury(self, message: Message, letter: DeadLetter) -> None:
        """Settle *message* and keep *letter* in its stead, in one atomic step.

        The letter is kept as it is, whatever its reason.

        Raises:
            LeaseLostError: The lease ended earlier; nothing was changed.
            EncodeError: The letter cannot be stored, as where the message's ``ctx`` is
                no JSON; the lease stays.
            BrokerUnavailableError: The store did not answer; calling again is safe.

        Cancellation:
            The call may or may not have taken effect.
        """
        ...

    async def dead_letters(
        self, queue: str, ids: Collection[str] | None = None, limit: int = 1000
    ) -> list[DeadLetter]:
        """Up to *limit* dead letters of *queue*, the newest first.

        Args:
            queue: The queue's name.
            ids: Only those with these message ids; None, and only None, for all.
            limit: The most to return; with 0 there are none.
        """
        ...

    async def requeue_dead(self, queue: str, ids: Collection[str]) -> int:
        """Put the messages of these letters back into *queue*, due at once, the oldest first.

        Each one is a single atomic step: neither lost nor doubled, whenever the
        caller is killed. The message keeps its id and arguments; `revived` says what
        becomes of its ``ctx``. Letters without a message stay. Where the message waits
        already, since somebody published it again, the two may become one.

        Returns:
            How many were put back.
        """
        ...

    async def delete_dead(self, queue: str, ids: Collection[str]) -> int:
        """Forget these letters for good.

        Returns:
            How many there were.
        """
        ...


@runtime_checkable
class UniquePublish(Protocol):
    """Keys that let only one message wait or run at a time."""

    async def publish_unique(
        self, message: Message, key: str, hold: float = 0, delay: float = 0
    ) -> str:
        """Publish *message* unless another message of its queue holds *key*.

        The key is held from now until the message ends (done, dropped, dead or
        cleared), and at least *hold* seconds: through nacks, its worker's death, and
        whatever a worker that lost its lease tries. ``message.ctx["unique"]`` is *key*,
        so that whoever settles the message can release it; a message that has the entry
        and does not hold the key, as one requeued, releases nothing. Publishing the
        holder itself again is a success.

        Args:
            message: The message to store.
            key: Unique within the queue; compared whole, sign by sign. An empty one is
                a key like any other.
            hold: Seconds from now for which the key is held even if the message ends; a
                negative one is none, and it is finite, as *delay* is.
            delay: As in `Broker.publish`.

        Returns:
            The id of the message that holds the key: *message*'s own if it was stored.

        Raises:
            EncodeError: It cannot be stored; it holds no key.
            BrokerUnavailableError: As in `Broker.publish`.

        Cancellation:
            The message may or may not have been stored; it holds the key if it was.
        """
        ...


@runtime_checkable
class Ticks(Protocol):
    """Publishes each tick of a schedule once, whoever sends it, on the store's clock."""

    async def publish_tick(self, job: str, tick: float, message: Message) -> bool:
        """Publish *message* if *tick* is later than the job's last tick, atomically.

        Args:
            job: The job's identity within the queue ``message.task_name``; compared
                whole, sign by sign.
            tick: Seconds since the epoch.
            message: Due at once.

        Returns:
            Whether it was published; the last tick is then *tick*.

        Raises:
            EncodeError: It cannot be stored; the last tick is as it was.
            BrokerUnavailableError: Whether it was published is unknown, and calling
                again is safe.

        Cancellation:
            The tick may or may not have been published, wholly.
        """
        ...

    async def last_tick(self, queue: str, job: str) -> float | None:
        """The last tick of *job* that was published, or None."""
        ...

    async def time(self) -> float:
        """Seconds since the epoch on the store's clock."""
        ...


@runtime_checkable
class Inspection(Protocol):
    """Looks into queues without changing them."""

    async def queues(self) -> list[str]:
        """The names of all queues that hold anything, sorted."""
        ...

    async def stats(self, queue: str) -> QueueStats:
        """Figures of *queue* as it is now; of an unknown one they are zero."""
        ...

    async def peek(self, queue: str, limit: int = 10) -> Sequence[Message]:
        """Up to *limit* waiting messages, the next due first, without what is no message.

        With a limit of 0 there are none.

        They are copies without a `Delivery`: nothing is leased, and none moves.
        """
        ...


@runtime_checkable
class LiveWorkers(Protocol):
    """Knows who works on a queue."""

    async def workers(self, queue: str) -> list[LiveWorker]:
        """The workers that hold a lease on *queue* now.

        Those that hold messages are listed in any case, for as long as they live.
        """
        ...


@runtime_checkable
class Pause(Protocol):
    """Queues that can be told to hand out nothing for a while."""

    async def pause(self, queue: str) -> None:
        """Hand out no further message of *queue* until `resume`; runs go on.

        The pause is kept in the store: it outlives whoever asked for it, a `clear`, and
        the queue's last message. Pausing twice is pausing once.
        """
        ...

    async def resume(self, queue: str) -> None:
        """Hand out messages of *queue* again, at once."""
        ...

    async def paused(self, queue: str) -> bool:
        """Whether *queue* is paused."""
        ...


ABILITIES: tuple[type, ...] = (
    SharedLimits,
    DeadLetters,
    UniquePublish,
    Ticks,
    Inspection,
    LiveWorkers,
    Pause,
)


def abilities_of(broker: type) -> tuple[str, ...]:
    """The names of the abilities that a broker class offers, in a fixed order."""
    return tuple(ability.__name__ for ability in ABILITIES if issubclass(broker, ability))
