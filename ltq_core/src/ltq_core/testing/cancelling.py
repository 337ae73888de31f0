"""Cancelling calls: at every moment of their life, and within bounds."""

from __future__ import annotations

import asyncio
from asyncio.tasks import _unregister_task
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Collection, Iterable

T = TypeVar("T")

MOMENTS = (*range(24), *range(24, 240, 12))
"""After how many turns of the event loop a call is cancelled: each of the first, for what
a broker does by itself, and some later ones, for what a server's answer takes."""

STUBBORN = 5.0
"""Seconds after which a cancelled call that goes on counts as one that ignores its
cancellation: a guess, far above what giving a message back takes on a loaded machine."""


async def cancelled(call: Awaitable[T], turns: int) -> T | None:
    """What *call* returned within so many turns of the event loop; else it is cancelled."""
    future = asyncio.ensure_future(call)
    for _ in range(turns):
        await asyncio.sleep(0)
    return await cut(future)


async def cut(call: asyncio.Future[T]) -> T | None:
    """Cancel *call*; None, or what it had returned already.

    Raises:
        AssertionError: It ignores that.
    """
    await end([call])
    return None if call.cancelled() else call.result()


async def end(calls: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel *calls* and wait until they have ended, however they do.

    Raises:
        AssertionError: Some ignore that; they are left to themselves.
    """
    calls = list(calls)
    for call in calls:
        call.cancel()
    if calls:
        # Not awaited themselves: they could swallow the cancellation of whoever waits.
        done, stubborn = await asyncio.wait(calls, timeout=STUBBORN)
        for call in done:
            _ = call.cancelled() or call.exception()  # else asyncio logs what nobody asked for
        _leave(stubborn)


async def in_time(call: asyncio.Future[T], seconds: float, what: str) -> T:
    """What *call* returns; cancels it and fails, naming it as *what*, if that takes longer.

    Unlike `asyncio.wait_for` it ends, also when *call* ignores its cancellation.
    """
    await asyncio.wait([call], timeout=seconds)
    if not call.done():
        await end([call])
        raise AssertionError(f"{what} did not return within {seconds:g} s")
    return call.result()


def _leave(stubborn: Collection[asyncio.Future[Any]]) -> None:
    for call in stubborn:
        if isinstance(call, asyncio.Task):
            _unregister_task(call)  # asyncio.run would wait for it without end
    names = ", ".join(sorted({_name(call) for call in stubborn}))
    assert not stubborn, f"{names} ignored its cancellation: it went on for {STUBBORN:g} s"


def _name(call: asyncio.Future[Any]) -> str:
    what = call.get_coro() if isinstance(call, asyncio.Task) else call
    return getattr(what, "__qualname__", repr(what))
