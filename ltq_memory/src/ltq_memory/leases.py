"""Who holds what: an `Epoch` is a worker's life at the store, a `Lease` one message."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ltq_core import LeaseLostError, uptime

if TYPE_CHECKING:
    from ltq_core import Delivery, Message
    from ltq_memory.lines import Entry
    from ltq_memory.queues import Queue


@dataclass(slots=True, eq=False, repr=False)
class Lease:
    """One message in flight, and the receipt of its delivery."""

    entry: Entry
    queue: Queue
    epoch: Epoch
    delivery: Delivery


@dataclass(slots=True, eq=False, repr=False)
class Epoch:
    """A worker's identity at the store, from its first claim until its lease ends.

    A worker whose lease ended begins another epoch: what it held in the old one can
    no longer be settled by it.

    Attributes:
        lease: Seconds.
        id: The worker's id.
        queues: Where it claimed from.
        held: What it holds.
        lost: What it held when it ended.
        suspect: Whether what it holds is a suspect.
        awaits_idleness: Whether its last claim passed over a suspect, or was refused for
            one: it looks again when it holds nothing.
    """

    lease: float
    id: str = field(default_factory=lambda: f"{os.getpid()}-{os.urandom(4).hex()}")
    queues: set[str] = field(default_factory=set)
    held: set[Lease] = field(default_factory=set)
    lost: list[Lease] = field(default_factory=list)
    suspect: bool = False
    awaits_idleness: bool = False
    deadline: float = field(init=False)

    def __post_init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Begin a full lease from now on."""
        self.deadline = uptime() + self.lease

    def release(self, lease: Lease) -> None:
        """Stop holding *lease*."""
        self.held.remove(lease)
        self.suspect = self.suspect and bool(self.held)


def receipt(message: Message) -> Lease:
    """The lease that *message* was handed out under.

    Raises:
        LeaseLostError: It never was handed out by a memory broker.
    """
    lease = None if message.delivery is None else message.delivery.receipt
    if not isinstance(lease, Lease):
        raise LeaseLostError(f"Message {message.id} was not handed out by this broker.")
    return lease


def lost(message: Message) -> LeaseLostError:
    """The error for settling *message* too late."""
    return LeaseLostError(
        f"The lease on message {message.id} ended earlier: it was settled already, or "
        "another worker may have it."
    )
