"""What a broker may offer beyond the `Broker` contract, each found by `isinstance`."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args, runtime_checkable

import msgspec

from ltq_core.errors import DecodeError, EncodeError
from ltq_core.logger import printable
from ltq_core.message import Message

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

Reason = Literal[
    "rejected", "failed", "tries_exhausted", "expired", "crashed", "undecodable", "unknown_task"
]
REASONS: tuple[Reason, ...] = get_args(Reason)

_BODY = 2000  # bytes kept of what could not be decoded: enough to recognize its writer


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


@dataclass(slots=True)
class DeadLetter:
    """A message that was given up, and why.

    Attributes:
        id: The message's id; of one that could not be decoded, the first 16 hex
            digits of its bytes' SHA-256.
        queue: Where it waited.
        reason: One of `REASONS`, or a word that only a newer version knows.
        died_at: Seconds since the epoch, on the store's clock where it has one.
        message: The whole message, or None if it could not be decoded.
        body: The first bytes of what could not be decoded, as escaped text.
        error_type: The exception's class, or "".
        error: The exception's text, cut.
        traceback: The end of its traceback, or "".
        tries: Failed runs.
        crashes: Deliveries that ended with their worker.
        created_at: When the message was created, or None.
        worker: Who gave it up.
        host: Where that ran.
    """

    id: str
    queue: str
    reason: str
    died_at: float
    message: Message | None = None
    body: str = ""
    error_type: str = ""
    error: str = ""
    traceback: str = ""
    tries: int = 0
    crashes: int = 0
    created_at: float | None = None
    worker: str = ""
    host: str = ""

    def to_json(self) -> bytes:
        """The letter as UTF-8 JSON bytes, its message embedded.

        Raises:
            EncodeError: Something in it is no JSON value.
        """
        fields = {name: getattr(self, name) for name in self.__slots__ if name != "message"}
        if self.message is not None:
            fields["message"] = msgspec.Raw(self.message.to_json())
        try:
            return msgspec.json.encode(fields)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise EncodeError(
                f"Dead letter {self.id!r} of '{self.queue}' cannot be stored as JSON: {error}."
            ) from error

    @classmethod
    def from_json(cls, data: bytes | str) -> DeadLetter:
        """The letter that *data* holds; unknown fields are ignored.

        Raises:
            DecodeError: It is no dead letter.
        """
        try:
            wire = msgspec.json.decode(data, type=_Letter)
        except (ValueError, RecursionError) as error:
            raise DecodeError(f"These bytes are no dead letter: {error}") from error
        fields = {name: getattr(wire, name) for name in _Letter.__struct_fields__}
        raw = fields.pop("message")
        return cls(**fields, message=Message.from_json(bytes(raw)) if bytes(raw) else None)


class _Letter(msgspec.Struct):
    id: str
    queue: str
    reason: str
    died_at: float
    message: msgspec.Raw = msgspec.Raw()
    body: str = ""
    error_type: str = ""
    error: str = ""
    traceback: str = ""
    tries: int = 0
    crashes: int = 0
    created_at: float | None = None
    worker: str = ""
    host: str = ""


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
                negative one is none.
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


def revived(letter: DeadLetter) -> Message | None:
    """The message that requeueing *letter* publishes; None if it holds no message.

    It starts anew: no tries, no due time. What happened is kept in
    ``ctx["history"]``, the ten latest deaths, oldest first.
    """
    if letter.message is None:
        return None
    ctx = {k: v for k, v in letter.message.ctx.items() if k not in ("tries", "due_at")}
    death = {
        "reason": letter.reason,
        "error": f"{letter.error_type}: {letter.error}".strip(": "),
        "tries": letter.tries,
        "died_at": letter.died_at,
    }
    history = ctx.get("history")
    ctx["history"] = [*(history if isinstance(history, list) else ()), death][-10:]
    message = letter.message
    return Message(message.args, message.kwargs, message.task_name, ctx, message.id)


def undecodable(
    queue: str, data: bytes, error: DecodeError, died_at: float, worker: str = ""
) -> DeadLetter:
    """The letter for stored *data* that is no message."""
    return DeadLetter(
        id=hashlib.sha256(data).hexdigest()[:16],
        queue=queue,
        reason="undecodable",
        died_at=died_at,
        body=printable(data[:_BODY].decode(errors="backslashreplace"), _BODY),
        error_type=type(error).__name__,
        error=printable(error),
        worker=worker,
        host=platform.node(),
    )
