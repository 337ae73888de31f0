"""A broker in a thread of its own: a worker process in miniature, to be killed or frozen."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from ltq_core.lifeline import keepers_of
from ltq_core.testing.cancelling import end, in_time
from ltq_core.testing.watching import off_loop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from concurrent.futures import Future

    from ltq_core.broker import Broker
    from ltq_core.message import Message

T = TypeVar("T")

FAREWELL = 10.0
"""Seconds that a connection may take to close, as `Conformance.patience`."""


class Peer:
    """One more connection, whose event loop turns in a thread of its own.

    Attributes:
        broker: The connection; use it only through `do` and `submit`.
        loop: The thread's event loop.
        held: The messages that it was made to consume.
    """

    broker: Broker

    def __init__(self) -> None:
        self.held: list[Message] = []
        self.loop = asyncio.new_event_loop()
        self._go_on = threading.Event()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    async def connect(self, make_broker: Callable[[], Awaitable[Broker]]) -> None:
        """Make the connection, in the thread's loop."""

        async def make() -> Broker:
            return await make_broker()

        self.broker = await asyncio.wrap_future(self._run(make()))

    def submit(self, work: Callable[[Broker], Awaitable[T]]) -> Future[T]:
        """Start *work* with the connection, in the thread's loop."""

        async def call() -> T:
            return await work(self.broker)

        return self._run(call())

    async def do(self, work: Callable[[Broker], Awaitable[T]]) -> T:
        """What *work* with the connection returns."""
        return await asyncio.wrap_future(self.submit(work))

    async def hold(self, queue: str, count: int = 1) -> None:
        """Consume *count* messages and keep them in ``held``."""
        for _ in range(count):
            self.held.append(await self.do(lambda broker: broker.consume(queue)))

    async def block(self) -> None:
        """Block the loop, as a task does that computes; its leases must be kept."""
        blocked = threading.Event()

        def stand_still() -> None:
            blocked.set()
            self._go_on.wait()

        self._go_on.clear()
        self.loop.call_soon_threadsafe(stand_still)
        await off_loop(blocked.wait)

    def unblock(self) -> None:
        """Let the loop turn again."""
        self._go_on.set()

    async def freeze(self) -> None:
        """Stop everything, like SIGSTOP: the loop and the lease keepers started in it."""
        await self.block()
        for keeper in keepers_of(self.loop):
            keeper.suspend()

    def thaw(self) -> None:
        """Go on after `freeze`, like SIGCONT."""
        for keeper in keepers_of(self.loop):
            keeper.resume()
        self.unblock()

    async def crash(self) -> None:
        """End without a farewell, like SIGKILL: nothing of it runs any more."""
        for keeper in keepers_of(self.loop):
            keeper.suspend()
        self.unblock()
        await self._halt()

    async def remove(self) -> None:
        """Close the connection and end the thread, whatever happened to it."""
        self.thaw()
        await self._halt()
        try:
            await off_loop(lambda: self.loop.run_until_complete(self._farewell()))
        finally:
            self.loop.close()

    async def _halt(self) -> None:
        if not self._thread.is_alive():
            return  # a second stop would meet whatever the loop runs next
        self.loop.call_soon_threadsafe(self.loop.stop)
        await off_loop(lambda: self._thread.join(FAREWELL))
        assert not self._thread.is_alive(), "the event loop of a second connection is blocked"

    async def _farewell(self) -> None:
        if hasattr(self, "broker"):
            closing = asyncio.ensure_future(self.broker.close())
            await in_time(closing, FAREWELL, "close() of a second connection")
        await end(asyncio.all_tasks() - {asyncio.current_task()})
        await self.loop.shutdown_asyncgens()

    def _run(self, call: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(call, self.loop)
