"""Cancelling calls: at every moment of their life, and within bounds."""

from __future__ import annotations

import asyncio
import math
import time
from asyncio.tasks import _unregister_task
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Collection, Iterable, Iterator

T = TypeVar("T")

WHOLE, EARLY, LATE = 3, 24, 20
"""How many calls of one kind are not cut; how many are cut after so many turns of the event
loop, from none on; and how many after so many parts of the time that a whole one takes."""

BEYOND = 1.25
"""The last moment at which a call is cut, in whole ones: some take longer than others."""

LONGEST = 10.0
"""Seconds after which any call is cut."""

STUBBORN = 5.0
"""Seconds after which a cancelled call that goes on counts as one that ignores its
cancellation: a guess, far above what giving a message back takes on a loaded machine."""


class Cuts:
    """Cuts calls of one kind at every moment of their life: one call for each of `names`.

    What a broker does by itself takes a few turns of the event loop, what it waits for a
    thousand: a server's answer, or a disk. So the first calls are timed, and not cut. ::

        cuts = Cuts()
        for name in cuts.names:
            await cuts.cut(broker.publish(message(name)))
    """

    names: ClassVar[list[str]] = [f"{number:02}" for number in range(WHOLE + EARLY + LATE)]

    def __init__(self) -> None:
        self._times: list[float] = []
        self._moments = self._all_moments()

    async def cut(self, call: Awaitable[T]) -> T | None:
        """Cancel *call* at the next moment; None, or what it had returned already."""
        future = asyncio.ensure_future(call)
        start = time.perf_counter()
        await _spin(future, *next(self._moments))
        self._times.append(time.perf_counter() - start)
        return await cut(future)

    def _all_moments(self) -> Iterator[tuple[float, float]]:
        """After how many turns or seconds, whichever come first, each call is cut."""
        yield from [(math.inf, LONGEST)] * WHOLE
        yield from ((turns, LONGEST) for turns in range(EARLY))
        usual = sorted(self._times[:WHOLE])[WHOLE // 2]
        parts = (BEYOND * part / LATE for part in range(1, LATE + 1))
        yield from ((math.inf, usual * part) for part in parts)


async def cancelled(call: Awaitable[T], turns: int) -> T | None:
    """What *call* returned within so many turns of the event loop; else it is cancelled."""
    future = asyncio.ensure_future(call)
    await _spin(future, turns, LONGEST)
    return await cut(future)


async def _spin(call: asyncio.Future[Any], turns: float, seconds: float) -> None:
    # A timer would be too coarse: what is to be hit may take less than a millisecond.
    over = time.perf_counter() + seconds
    while turns > 0 and not call.done() and time.perf_counter() < over:
        await asyncio.sleep(0)
        turns -= 1


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
