"""Sends within the contexts that middleware puts around them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from types import TracebackType

    from ltq_core.message import Message
    from ltq_core.middleware import Middleware
    from ltq_core.task import Task

    Publish = Callable[[Sequence[Message]], Awaitable[None]]

T = TypeVar("T")

# How many contexts are open at once. A guess: enough that the broker's round trip costs
# little, and no flood for what a middleware may ask in its own.
BULK = 100


async def around(
    senders: Sequence[Middleware],
    task: Task[Any, Any],
    message: Message,
    send: Callable[[Message], Awaitable[T]],
) -> T:
    """*send* *message* within the contexts of *senders*, the first outermost."""
    if not senders:
        return await send(message)
    async with senders[0].sending(message, task):
        return await around(senders[1:], task, message, send)


async def around_each(
    senders: Sequence[Middleware],
    task: Task[Any, Any],
    messages: Sequence[Message],
    publish: Publish,
) -> None:
    """*publish* many *messages* at once, each within contexts of its own.

    If one of them cannot be entered, or the publish fails, all see that failure, as each
    would of its own send.
    """
    for start in range(0, len(messages), BULK):
        bulk = messages[start : start + BULK]
        gate = _Gate(len(bulk))
        # A task for each: a context may set context variables and timeouts.
        sends = [asyncio.ensure_future(around(senders, task, one, gate.wait)) for one in bulk]
        for one in sends:
            one.add_done_callback(gate.ended)
        await gate.open(publish, bulk)
        for outcome in await asyncio.gather(*sends, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome


class _Gate:
    """Where sends wait inside their contexts until all of them are published."""

    def __init__(self, count: int) -> None:
        self._missing = count
        self._ready = asyncio.Event()
        self._opened = asyncio.Event()
        self._failure: BaseException | None = None
        self._raised_at: TracebackType | None = None

    async def wait(self, message: Message) -> None:
        """Inside its contexts, a send waits here."""
        self._missing -= 1
        if not self._missing:
            self._ready.set()
        await self._opened.wait()
        if self._failure is not None:
            # All raise the one exception: without this its traceback would grow by each.
            raise self._failure.with_traceback(self._raised_at)

    def ended(self, send: asyncio.Future[None]) -> None:
        """A send is over; while others still enter, that means that it could not."""
        if not self._ready.is_set():
            self._fail(asyncio.CancelledError() if send.cancelled() else send.exception())
            self._ready.set()

    async def open(self, publish: Publish, messages: Sequence[Message]) -> None:
        """Let all go on, once they are published or that has failed."""
        try:
            await self._ready.wait()
            if self._failure is None:
                await publish(messages)
        except BaseException as error:  # each send raises it, and its sender one of them
            self._fail(error)
        finally:
            self._opened.set()

    def _fail(self, error: BaseException | None) -> None:
        self._failure = error
        self._raised_at = None if error is None else error.__traceback__
