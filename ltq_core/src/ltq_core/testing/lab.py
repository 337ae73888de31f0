"""What a fact of the conformance kit works with: connections, messages, and patience."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, TypeVar

from ltq_core.broker import Broker
from ltq_core.logger import describe
from ltq_core.message import Message
from ltq_core.testing.cancelling import end, in_time
from ltq_core.testing.peers import Peer

if TYPE_CHECKING:
    from ltq_core.testing.suite import Conformance

T = TypeVar("T")
MakeBroker = Callable[[], Awaitable[Broker]]

QUEUE = "conformance:task"
OTHER = "conformance:other"

CLOCKS = 0.02
"""Seconds by which the store's clock and this process's may disagree on a short wait."""

A_MOMENT = 0.02
"""Seconds within which a call that has nothing to do comes to its wait."""

A_WHILE = 0.3
"""Seconds for which a fact looks whether something happens that must not."""


class Lab:
    """One fact's connections to one store, all closed when it ends.

    Attributes:
        broker: A connection in this event loop.
        lease: Seconds of a lease.
        patience: Seconds to wait for what must happen.
        takeover: Seconds within which a dead worker's message must be back.
        stolen: What `broker` took over from a `fenced` worker.
    """

    broker: Broker
    stolen: list[Message]

    def __init__(self, suite: Conformance, make_broker: MakeBroker) -> None:
        self._suite = suite
        self._make_broker = make_broker
        self._brokers: list[Broker] = []
        self._peers: list[Peer] = []
        self._calls: list[asyncio.Future[Any]] = []

    async def __aenter__(self) -> Lab:
        self.broker = await self.connect()
        self.lease = self._suite.lease or getattr(self.broker, "lease", None) or 30.0
        self.patience = self._suite.patience
        self.takeover = 1.5 * self.lease + self.patience
        return self

    async def __aexit__(
        self, kind: object, failure: BaseException | None, traceback: object
    ) -> None:
        try:
            await self._close_all()
        except Exception as error:
            if failure is None:
                raise
            failure.add_note(f"Closing it all failed, too: {describe(error)}")

    async def _close_all(self) -> None:
        async with AsyncExitStack() as stack:  # what fails holds up nothing of the rest
            for broker in self._brokers:
                stack.push_async_callback(self._close, broker)
            for peer in self._peers:
                stack.push_async_callback(peer.remove)
            stack.push_async_callback(end, self._calls)

    async def _close(self, broker: Broker) -> None:
        await in_time(asyncio.ensure_future(broker.close()), self.patience, "close()")

    async def connect(self) -> Broker:
        """One more connection in this event loop."""
        broker = await self.make()
        self._brokers.append(broker)
        return broker

    async def make(self) -> Broker:
        """One more connection, which the fact itself closes."""
        made = self._make_broker()
        assert inspect.isawaitable(made), (
            f"make_broker must be an async callable; this one returned {type(made).__name__}"
        )
        broker = await made
        assert all(broker is not other for other in self._brokers), (
            "make_broker must return a new connection each time; this one came before"
        )
        return broker

    async def peer(self) -> Peer:
        """One more connection in a thread and event loop of its own."""
        peer = Peer()
        self._peers.append(peer)
        await peer.connect(self._make_broker)
        return peer

    async def holder(self, *names: str) -> Peer:
        """A worker of its own that holds one message for each of *names*, in ``held``."""
        worker = await self.peer()
        await self.publish(*names)
        await self.soon(worker.hold(QUEUE, len(names)), "consume() of a second connection")
        assert labels(worker.held) == list(names)
        return worker

    async def fenced(self, *names: str) -> Peer:
        """A worker that is frozen until another one, `broker`, holds what it held.

        It is thawed again: whatever it does now comes too late.
        """
        worker = await self.holder(*names)
        await self.freeze(worker)
        self.stolen = [await self.consume(within=self.takeover) for _ in names]
        await self.thaw(worker)
        return worker

    async def freeze(self, peer: Peer) -> None:
        """See `Conformance.freeze`."""
        await self._suite.freeze(peer)

    async def thaw(self, peer: Peer) -> None:
        """See `Conformance.thaw`."""
        await self._suite.thaw(peer)

    async def crash(self, peer: Peer) -> None:
        """See `Conformance.crash`."""
        await self._suite.crash(peer)

    async def publish(
        self,
        *labels: str,
        queue: str = QUEUE,
        delay: float = 0,
        broker: Broker | None = None,
        **ctx: object,
    ) -> list[Message]:
        """Publish one message for each label, its only argument, one after another."""
        messages = [message(name, queue, **ctx) for name in labels]
        for each in messages:
            await (broker or self.broker).publish(each, delay)
        return messages

    async def consume(
        self, broker: Broker | None = None, queue: str = QUEUE, within: float | None = None
    ) -> Message:
        """The next message of *queue*; fails if none comes in time."""
        call = (broker or self.broker).consume(queue)
        return await self.soon(call, f"consume({queue!r})", within)

    async def soon(self, call: Awaitable[T], what: str, within: float | None = None) -> T:
        """What *call* returns; fails, naming it as *what*, if it does not in time."""
        seconds = self.patience if within is None else within
        return await in_time(self.start(call), seconds, what)

    def start(self, call: Awaitable[T]) -> asyncio.Future[T]:
        """*call*, under way; it is cancelled with the fact's end."""
        future = asyncio.ensure_future(call)
        self._calls.append(future)
        return future

    async def still_waits(
        self, call: Awaitable[T], seconds: float = A_WHILE
    ) -> asyncio.Future[T]:
        """*call*, under way; fails if it returns within *seconds*."""
        future = self.start(call)
        await asyncio.wait([future], timeout=seconds)
        assert not future.done(), f"{future.result()} was handed out, which it must not be"
        return future

    async def take(
        self,
        count: int,
        broker: Broker | None = None,
        queue: str = QUEUE,
        within: float | None = None,
    ) -> list[str]:
        """Consume and ack *count* messages; their labels in the order of arrival."""
        labels = []
        for _ in range(count):
            taken = await self.consume(broker, queue, within)
            await (broker or self.broker).ack(taken)
            labels.append(label(taken))
        return labels

    async def rest(self, queue: str = QUEUE) -> list[str]:
        """Take all that is due in *queue*, up to a marker that is put behind it."""
        await self.publish("marker", queue=queue)
        labels = await self.take(1, queue=queue)
        while labels[-1] != "marker":
            labels += await self.take(1, queue=queue)
        return labels[:-1]


def message(name: str, queue: str = QUEUE, **ctx: object) -> Message:
    """A message whose only argument is *name*."""
    built = Message((name,), task_name=queue)
    built.ctx.update(ctx)
    return built


def label(received: Message) -> str:
    """The argument by which a fact tells its messages apart."""
    return str(received.args[0])


def labels(received: Sequence[Message]) -> list[str]:
    """The label of each."""
    return [label(each) for each in received]
