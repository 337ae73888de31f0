"""Running event loops where a broker that blocks them holds up nothing else."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
import time
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

BLOCKED = 10.0
"""Seconds after which an event loop that does not turn counts as blocked for good. No fact
blocks its own; a loaded machine may stop one for a second."""

_LOOK = 0.5


def in_thread(work: Callable[[], T]) -> Future[T]:
    """What *work* returns, in a daemon thread: one that never ends holds up no exit."""
    future: Future[T] = Future()
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(_fill, future, work), daemon=True)
    thread.start()
    return future


async def off_loop(work: Callable[[], T]) -> T:
    """What *work* returns, in a thread; unlike asyncio's own it is abandoned when cancelled."""
    return await asyncio.wrap_future(in_thread(work))


def run_watched(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` in a thread of its own.

    Raises:
        AssertionError: Something blocks the event loop, or its end; it is left alone.
    """
    watched = _Watched(main)
    while not watched.end.done():
        wait([watched.end], _LOOK)
        watched.look()
    return watched.end.result()


class _Watched(Generic[T]):
    """One event loop in its thread, and its ``end``."""

    def __init__(self, main: Coroutine[Any, Any, T]) -> None:
        self._outcome: Future[T] = Future()
        self._loop = asyncio.new_event_loop()
        self._turned = time.monotonic()
        self._ident: int | None = None
        self.end = in_thread(lambda: self._run(main))

    def look(self) -> None:
        """Fail if the loop has not turned for long, or has nothing left to turn for."""
        if not self._outcome.done():
            self._loop.call_soon_threadsafe(self._turn)
        if time.monotonic() - self._turned < BLOCKED:
            return
        if self._outcome.done():
            self._outcome.result()  # what failed tells more
            raise AssertionError("the event loop does not end: a thread of it goes on")
        raise AssertionError(f"the event loop is blocked {self._where()}")

    def _run(self, main: Coroutine[Any, Any, T]) -> T:
        self._ident = threading.get_ident()
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            _fill(self._outcome, lambda: runner.run(main))
        return self._outcome.result()

    def _turn(self) -> None:
        self._turned = time.monotonic()

    def _where(self) -> str:
        frame = sys._current_frames().get(self._ident or 0)
        if frame is None:
            return "at an unknown place"
        code = frame.f_code
        return f"at {code.co_filename}:{frame.f_lineno} in {code.co_qualname}"


def _fill(future: Future[T], work: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():  # from now on it cannot be cancelled
        return
    try:
        future.set_result(work())
    except BaseException as error:  # pytest's skip and fail are no Exceptions
        future.set_exception(error)
