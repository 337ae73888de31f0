"""The worker's own threads, for plain functions."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from ltq_core.clock import virtual_clock
from ltq_core.logger import describe

if TYPE_CHECKING:
    from collections.abc import Callable

_Work = tuple[
    "Callable[[], Any]", contextvars.Context, "asyncio.Future[Any]", asyncio.AbstractEventLoop
]


class ThreadPool:
    """Up to *size* daemon threads, each started when there is work and none is idle.

    Unlike `concurrent.futures`, a thread that never returns does not keep the process
    from exiting.
    """

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._work: SimpleQueue[_Work | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._started = 0

    def call(self, function: Callable[[], Any]) -> asyncio.Future[Any]:
        """Run *function* in a thread, in a copy of this context.

        A virtual clock stands still meanwhile.

        Cancellation:
            Nobody waits for the result any more, but the thread runs on.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        if (clock := virtual_clock()) is not None:
            clock.hold()
        self._work.put((function, contextvars.copy_context(), future, loop))
        self._ensure_thread()
        return future

    def close(self) -> None:
        """Let idle threads end; busy ones end after their work."""
        for _ in range(self._started):
            self._work.put(None)
        self._started = 0

    def _ensure_thread(self) -> None:
        if self._idle.acquire(blocking=False) or self._started >= self._size:
            return
        self._started += 1
        name = f"{self._name}-{self._started}"
        threading.Thread(target=self._serve, name=name, daemon=True).start()

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            function, context, future, loop = work
            try:
                result, error = context.run(function), None
            except BaseException as caught:  # handed to the run, which decides
                result, error = None, caught
            self._idle.release()
            _deliver(loop, future, result, error)
            del work, function, context, future, result, error


def _deliver(
    loop: asyncio.AbstractEventLoop,
    future: asyncio.Future[Any],
    result: Any,
    error: BaseException | None,
) -> None:
    try:
        loop.call_soon_threadsafe(_settle, future, result, error)
    except RuntimeError:  # the loop closed while the thread outlasted the grace time
        return


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if (clock := virtual_clock()) is not None:
        clock.release()
    if future.cancelled():
        return
    if error is None:
        future.set_result(result)
    elif issubclass(type(error), StopIteration):  # a future refuses it; `__class__` may raise
        future.set_exception(RuntimeError(f"the task raised {describe(error)}"))
    else:
        future.set_exception(error)
