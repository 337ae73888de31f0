"""What one event loop knows of one queue that it consumes."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ltq_core import BrokerUnavailableError, LeaseLostError, Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ltq_core import DeadLetter, QueueLimits
    from ltq_redis.keys import QueueKeys

NEVER = float("inf")

# Beats for which a claim that had no reply is watched: one beat is a third of a lease, and
# longer than a request can wait at a server that answers others.
LATE = 2

# For how many seconds a queue is left alone whose claim failed, as with a key of a wrong
# type. Each attempt logs an error; shorter than the time between two sweeps.
REST = 3.0


# How many seconds ahead slots of a rate are reserved. A guess: it must exceed the time between
# two claims, and a stall of the loop makes as many seconds of slots late.
AHEAD = 0.1

# How often, in seconds, a worker that takes slots one after another lets the others know. A
# guess: it costs a few commands each time, and whoever comes free asks without it.
TELL = 1.0

# Seconds by which a start may miss its slot: 2 % of the second in which starts are counted.
CLOCKS = 0.02


def new_worker_id() -> str:
    """An id that was never used: host and process for people, the rest for uniqueness."""
    host = socket.gethostname().translate(str.maketrans("{}:.", "----"))[:40]
    return f"{host}-{os.getpid()}-{os.urandom(6).hex()}"


class Receipt(msgspec.Struct, frozen=True, eq=False):
    """What settles a message: the bytes that were claimed, and the batch they came in.

    Attributes:
        raw: The member of ``processing:W``, never encoded again.
        batch: The batch, which knows W and the queue.
        plain: It may be acknowledged in bulk: no key, place or crash goes with it.
    """

    raw: bytes
    batch: Batch
    plain: bool


class Fate(NamedTuple):
    """What becomes of a message whose lease ends; see ``settle.lua``.

    Attributes:
        what: "ack", "drop", "place", "delay" or "bury".
        new: Its new bytes, or the dead letter's.
        delay: Seconds before it may be consumed again.
        letter_id: The dead letter's id.
    """

    what: str
    new: bytes = b""
    delay: float = 0
    letter_id: str = ""

    @classmethod
    def dead(cls, letter: DeadLetter) -> Fate:
        """*letter* is kept in its stead."""
        return cls("bury", letter.to_json(), letter_id=letter.id)


class Batch:
    """What one claim brought from one queue, under one lease.

    Every claim leases under an id W that was never used before. So a receipt can hit
    nothing but its own batch, whatever is sent twice or late; a batch that is done goes
    as a whole; and an idle worker leaves no key behind.

    Attributes:
        worker: W.
        queue: The queue's state in the loop that claimed it.
        held: Messages of the batch, by their bytes, until the server confirmed that
            they are settled.
        unsure: Whether a reply was lost, so that W may hold more than `held`.
        late: For how many beats more a claim without a reply may still be executed.
        doubtful: Messages that a call without an answer may have settled.
        settling: How many calls that settle messages of the batch are under way.
    """

    __slots__ = ("doubtful", "held", "late", "queue", "settling", "unsure", "worker")

    def __init__(self, worker: str, queue: QueueState) -> None:
        self.worker = worker
        self.queue = queue
        self.held: dict[bytes, Message] = {}
        self.unsure = False
        self.late = 0
        self.doubtful: set[bytes] = set()
        self.settling = 0

    @property
    def processing(self) -> str:
        """The key of what W holds."""
        return self.queue.keys.processing(self.worker)

    def settle(self, raw: bytes) -> Message | None:
        """Forget a message that the server no longer holds for W; None if it was not held."""
        message = self.held.pop(raw, None)
        self.end_if_done()
        return message

    @property
    def holds(self) -> bool:
        """Whether something is held, as far as is known."""
        return bool(self.held) or self.unsure

    def doubt(self) -> None:
        """The claim has no reply, though the server may have executed it, or may yet."""
        self.unsure = self.queue.ready = True
        self.late = LATE
        self.queue.batches[self.worker] = self

    def end_if_done(self) -> None:
        """Forget the batch once nothing of it is left, nor can come any more."""
        if not self.holds and not self.late:
            self.queue.batches.pop(self.worker, None)

    def lose(self) -> bool:
        """The lease has ended: whatever is held may run elsewhere.

        Returns:
            Whether anything was held.

        Concurrency:
            Called in the lease thread, so that a blocked loop's tasks can see it too.
        """
        held, self.held = self.held, {}
        self.queue.batches.pop(self.worker, None)
        for message in held.values():
            if message.delivery is not None:
                message.delivery.lease_lost = True
        return bool(held)


class QueueState:
    """One queue as this loop sees it: the batches it holds, and when to look again.

    Attributes:
        name: The queue's name.
        keys: Its keys.
        limits: What gates its claims, or None.
        places_free: Whether a message takes no place of a concurrency limit.
        batches: The batches that are not done, by their W.
        claimed: Messages that no caller has been given yet.
        ready: Whether a claim may find something.
        due: When the next message is due, on the loop's clock.
        rests_until: Until when it is left alone, on the loop's clock.
        woken: When a token of it was last used, on the loop's clock.
        late: By how many seconds the slots to come must be put off.
        told: When a claim last woke another worker for what it left, on the loop's clock.
        worker: What the ids of all its batches begin with.
    """

    __slots__ = (
        "_ids",
        "_missed",
        "_missed_at",
        "batches",
        "claimed",
        "due",
        "keys",
        "late",
        "limits",
        "name",
        "places_free",
        "ready",
        "rests_until",
        "told",
        "woken",
        "worker",
    )

    def __init__(self, name: str, keys: QueueKeys, limits: QueueLimits | None) -> None:
        self.name = name
        self.keys = keys
        self.limits = limits
        self.places_free = limits is None or limits.concurrency is None
        self.batches: dict[str, Batch] = {}
        self.claimed: list[Message] = []
        self.ready = True
        self.due = NEVER
        self.rests_until = self.woken = 0.0
        self.late = self._missed = self._missed_at = 0.0
        self.told = -TELL
        self.worker = new_worker_id()
        self._ids = (f"{self.worker}.{number}" for number in itertools.count(1))

    def new_batch(self) -> Batch:
        """A batch for the next claim, under an id that was never used."""
        return Batch(next(self._ids), self)

    def hand_out(self, most: int) -> list[Message]:
        """Take out up to *most* of what was claimed, without what was lost meanwhile."""
        leased = still_leased(self.claimed)
        self.claimed = leased[most:]
        return leased[:most]

    def see(self, wait: bytes, now: float) -> None:
        """Note what a claim said of the time to look again."""
        self.ready = wait == b"0.000000"
        self.due = now + float(wait) if wait and not self.ready else NEVER

    def rest(self, now: float) -> None:
        """Leave the queue alone for a while: its claim failed."""
        self.ready, self.due, self.rests_until = False, NEVER, now + REST

    def start_late(self, missed: float, now: float) -> None:
        """Note by how many seconds a start has missed its slot.

        In any second the greatest of them counts, since what follows a stall of the loop
        is less and less late. By less than an interval, or with keys, of which each has
        few slots ahead, a late start makes no second see too many.
        """
        limits = self.limits
        if limits is None or limits.rate is None or limits.rate_keyed:
            return
        if missed <= max(CLOCKS, limits.rate.interval):
            return
        counted = self._missed if now < self._missed_at + 1 else 0.0
        missed = min(missed, AHEAD)  # no more slots than that were reserved
        if missed > counted:
            self.late += missed - counted
            self._missed, self._missed_at = missed, now

    def tells_others(self, now: float, *, stays: bool) -> bool:
        """Whether a claim is to wake somebody for what it leaves; *stays* if room is left here.

        Then this worker asks again by itself, and a token each time would mostly come back
        to it. One now and then lets those join who have nothing to do.
        """
        if stays and now < self.told + TELL:
            return False
        self.told = now
        return True

    @property
    def paced(self) -> bool:
        """Whether its messages start at slots of a rate."""
        return self.limits is not None and self.limits.rate is not None

    def signs(self) -> list[str]:
        """Keys that exist if a claim may find something that is not known of yet."""
        keys = self.keys
        if self.due != NEVER:
            return [keys.wake]
        limited = [] if self.limits is None else [keys.reserved, keys.lines]
        return [keys.queue, keys.suspects, *limited]


def receipt_of(message: Message) -> Receipt:
    """The receipt of a message that a Redis broker handed out.

    Raises:
        LeaseLostError: No such broker did.
    """
    delivery = message.delivery
    receipt: Any = None if delivery is None else delivery.receipt
    if not isinstance(receipt, Receipt):
        raise LeaseLostError(f"Message {message.id} was not handed out by this broker.")
    return receipt


def still_leased(messages: Iterable[Message]) -> list[Message]:
    """Those of *messages* whose lease has not ended before anybody was given them."""
    return [one for one in messages if one.delivery is None or not one.delivery.lease_lost]


@contextmanager
def doubting(acks: Iterable[Message]) -> Iterator[None]:
    """For a call that settles *acks*: its caller may make it again if it fails or is cut.

    It cannot know which of them were settled, and these are not lost then.
    """
    try:
        yield
    except (BrokerUnavailableError, asyncio.CancelledError):
        for receipt in map(receipt_of, acks):
            if receipt.raw not in receipt.batch.held:
                receipt.batch.doubtful.add(receipt.raw)
        raise


Done = dict[Batch, dict[bytes, Message]]
"""Messages to acknowledge in bulk, by their batch and bytes."""


def sort_acks(acks: Iterable[Message]) -> tuple[Done, list[Message]]:
    """Those of *acks* that are still held: in bulk, and those that need a step of their own.

    What was settled already is not settled again, and marked as lost.
    """
    done: Done = {}
    special: list[Message] = []
    for message in acks:
        receipt = receipt_of(message)
        raw, batch = receipt.raw, receipt.batch
        if raw not in batch.held:
            if raw not in batch.doubtful and message.delivery is not None:
                message.delivery.lease_lost = True
        elif not receipt.plain:
            special.append(message)
        elif batch in done:
            done[batch][raw] = message
        else:
            done[batch] = {raw: message}
    return done, special
