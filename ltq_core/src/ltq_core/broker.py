"""The `Broker` contract: what stores queues and leases messages."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from ltq_core.errors import LeaseLostError
from ltq_core.prefetch import giving_back, kept, prefetch_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ltq_core.message import Message

DEFAULT_URL = "redis://localhost:6379"

_override: str | None = None


def override_broker_url(url: str | None) -> None:
    """Let *url* stand in for every other one in this process (``--broker-url``)."""
    global _override  # noqa: PLW0603 (one setting of the whole process)
    _override = url


def broker_url_of(declared: str | None) -> str:
    """The URL that counts: the process's, *declared*, ``LTQ_BROKER_URL``, the default."""
    return _override or declared or os.environ.get("LTQ_BROKER_URL") or DEFAULT_URL


class Broker(ABC):
    """Stores queues of messages and leases them to workers, at least once.

    A third party writes the seven abstract methods; the others have defaults built
    from them, to be replaced where the store can do better. A queue is named like
    its task and comes into being with its first message. Names and ids are compared
    whole, sign by sign: case counts, so does how an accent is written, and so do signs
    that mean something to the store. Every printable name without braces is one; another
    one, which no worker has, a broker may refuse with `ConfigurationError` in any call. An
    id is one message of its queue: in two queues it is two, and each has its own fate.
    Between consume and settling nobody changes a message's ``id`` and ``task_name``.

    What every broker promises: a message handed out and not settled comes back, at its
    old place, after its lease ends; the lease of a living worker does not end while it
    runs; a settled message never comes back; a worker that lost its lease can no longer
    settle, requeue or duplicate the message. A call that stores or settles takes effect
    wholly or not at all, also when its process is killed within it, and has taken effect
    when it returns. `ltq_core.testing.BrokerConformance` proves it, and
    `ProcessConformance`.

    Concurrency:
        Every method is safe from several tasks, threads and event loops.
    """

    durable: ClassVar[bool] = False
    """Whether messages outlive the processes that use the broker."""

    shared: ClassVar[bool] = False
    """Whether several processes can meet at the same queues, and use them at once."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # The default consume_many may hold leased messages that no caller has seen
        # yet. Whoever writes a broker need not know: its close gives them back first.
        super().__init_subclass__(**kwargs)
        if "close" in cls.__dict__:
            cls.close = giving_back(cls.close)  # type: ignore[method-assign]

    @staticmethod
    def from_url(url: str) -> Broker:
        """The broker that *url* names, through the installed plugin of its scheme.

        Nothing is connected yet.

        Raises:
            UnknownSchemeError: No usable plugin offers the scheme; says what would.
            PluginError: The plugin is broken, or two plugins claim the scheme.
            ConfigurationError: The URL or one of its options makes no sense.
        """
        from ltq_core.plugins import broker_from_url

        return broker_from_url(url)

    @abstractmethod
    async def publish(self, message: Message, delay: float = 0) -> None:
        """Store *message* in the queue ``message.task_name``, due after *delay* seconds.

        Messages due at one time keep the order in which they were published. A
        message that still waits, published again, stays one message, due when it was;
        one that is in flight waits as well, and may run once more, whatever becomes of
        the run: given back, the two may be one. What is handed out has the values and
        types that were published, and shares no object with them.

        Args:
            message: The message to store, as it is now.
            delay: Seconds on the store's clock until it may be consumed; a negative one
                is none. NaN and infinity never come here: `Task.with_options` refuses
                them, and a run that ends with such a `RetryError` has failed.

        Raises:
            EncodeError: It cannot be stored; nothing was.
            BrokerUnavailableError: The store did not answer or refused: whether the
                message was stored is unknown, and publishing it again is safe.

        Cancellation:
            The message may or may not have been stored.
        """

    @abstractmethod
    async def consume(self, queue: str) -> Message:
        """Wait for the next due message of *queue* and lease it.

        The earliest due time goes first, also of what is due by now. The message
        carries a `Delivery`. Stored bytes that are no message are never handed out and
        never stop a consumer: whoever comes upon them removes them. While it waits it
        neither blocks the event loop nor spins, and whatever is published or given
        back wakes it: it need not wait for a lease to end.

        Raises:
            BrokerUnavailableError: The store did not answer; nothing was leased, or
                what was leased comes back.

        Cancellation:
            Ends the call soon, and loses nothing: a message leased but not returned is
            given back, or handed out by the next call.
        """

    @abstractmethod
    async def ack(self, message: Message) -> None:
        """Settle *message* as done: it never comes back.

        Identity is the delivery's receipt: a changed ``ctx`` does not matter, even one
        that is no JSON.

        Args:
            message: One that this broker handed out and nobody settled yet.

        Raises:
            LeaseLostError: The lease ended earlier, or *message* was never handed out;
                nothing was changed.
            BrokerUnavailableError: The store did not answer; calling again is safe.

        Cancellation:
            The call may or may not have taken effect.
        """

    @abstractmethod
    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        """Give up the lease on *message* without success, in one atomic step.

        The message is stored as it now is: its run may have changed its ``ctx``, and
        its arguments. With *delay* 0 it stands again at its old place.

        Args:
            message: One that this broker handed out and nobody settled yet.
            delay: Seconds before it may be consumed again; as in `publish` a negative
                one is none, and stands for the old place as 0 does.
            drop: Remove it for good; *delay* is then ignored, and nothing is encoded.

        Raises:
            LeaseLostError: The lease ended earlier, or *message* was never handed out;
                nothing was changed.
            EncodeError: It cannot be stored as it now is; the lease stays.
            BrokerUnavailableError: The store did not answer; the lease stays, and
                redelivery follows when it ends.

        Cancellation:
            The call may or may not have taken effect.
        """

    @abstractmethod
    async def size(self, queue: str) -> int:
        """How many messages wait in *queue*: due and delayed, not in flight.

        Raises:
            BrokerUnavailableError: The store did not answer.
        """

    @abstractmethod
    async def clear(self, queue: str) -> None:
        """Remove every waiting message of *queue*; what is in flight stays leased.

        That comes back as ever if its worker closes or dies.

        Raises:
            BrokerUnavailableError: The store did not answer: some may have been removed,
                and calling again is safe.

        Cancellation:
            Some may have been removed.
        """

    @abstractmethod
    async def close(self) -> None:
        """Release connections, threads and leases.

        What is still leased is given back at once, as it was stored and at its old
        place; that counts as no crash.

        Closing twice is harmless, and a later call opens the broker again.

        Raises:
            BrokerUnavailableError: The store did not answer: what is leased comes back
                when its lease ends. All else is released.

        Cancellation:
            What is leased comes back, at the latest when its lease ends.
        """

    async def release(self) -> None:
        """Give back at once what is leased but was not returned by `consume_many` yet.

        It stands again at its old place, as it was stored; what was returned stays
        leased. The worker calls it when it stops claiming, so that nothing stands idle
        while it finishes its runs.

        Raises:
            BrokerUnavailableError: The store did not answer; redelivery follows.
        """
        if (clients := kept(self)) is not None:
            await clients.get().give_back()

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        """Store *messages* in their order, however many; see `publish`.

        One that stands in the list twice is stored once, at its first place. With none
        there is nothing to do.

        Raises:
            EncodeError: One cannot be stored; others of the list may have been.
            BrokerUnavailableError: Some may have been stored; publishing all again
                is safe.

        Cancellation:
            Some may have been stored.
        """
        for message in messages:
            await self.publish(message, delay)

    async def consume_many(
        self, queues: Sequence[str], limit: int, acks: Sequence[Message] = ()
    ) -> list[Message]:
        """Settle *acks*, then wait for 1 to *limit* due messages across *queues*.

        What the worker calls. One caller per event loop at a time. The default waits
        on one `consume` a queue; a message beyond *limit* stays leased and is
        returned first next time, unless its lease is lost by then, and `close` gives
        it back.

        Args:
            queues: The queues to wait on; each gets its share. However full one of them
                is, what comes to another is handed out within about two seconds.
            limit: The most messages to return, at least 1.
            acks: Messages to settle first, whose runs succeeded. What `ack_many` would
                return has ``delivery.lease_lost`` set afterwards.

        Raises:
            BrokerUnavailableError: The store did not answer: *acks* may not have been
                settled, and passing them again is safe.

        Cancellation:
            Ends the call soon, and loses nothing: what was leased meanwhile is returned
            by the next call.
            *acks* may not have been settled.
        """
        if acks:
            await self.ack_many(acks)
        return await prefetch_of(self).get().take(queues, limit)

    async def ack_many(self, messages: Sequence[Message]) -> list[Message]:
        """Settle *messages* as done, however many; see `ack`.

        One that is held no more, or named twice, keeps no other from being settled.

        Returns:
            Those that were held no more, with ``delivery.lease_lost`` set: their lease
            was lost, or they were settled already. One that is named twice may be among
            them, and so may what a call settled that failed or was cancelled.

        Raises:
            BrokerUnavailableError: Some may not be settled; passing all of them again
                is safe.

        Cancellation:
            Some may not be settled.
        """
        lost = []
        for message in messages:
            try:
                await self.ack(message)
            except LeaseLostError:
                if message.delivery is not None:
                    message.delivery.lease_lost = True
                lost.append(message)
        return lost
