"""The innermost call of a run: async or in a thread, with or without a timeout."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from ltq_core.message import Message
    from ltq_core.task import Task
    from ltq_core.worker.runs import Runs
    from ltq_core.worker.stack import Call
    from ltq_core.worker.threads import ThreadPool

# How long a timed-out coroutine may take to clean up before it counts as one that
# cannot be stopped, in seconds. A guess.
CANCEL_GRACE = 1.0


def make_call(task: Task[Any, Any], threads: ThreadPool, runs: Runs) -> Call:
    """What calls the function of *task* with arguments that were loaded already."""
    timeout = task.options.get("timeout")
    if not task.is_async:
        return _threaded(task, threads, timeout, runs)
    return _plain(task) if timeout is None else _bounded(task, timeout, runs)


def _plain(task: Task[Any, Any]) -> Call:
    function: Any = task.function

    # No coroutine of its own around the function's: every run would pay for it.
    def call(message: Message, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Awaitable[Any]:
        awaitable: Awaitable[Any] = function(*args, **kwargs)
        return awaitable

    return call


def _bounded(task: Task[Any, Any], timeout: float, runs: Runs) -> Call:
    function = task.function

    async def call(message: Message, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        inner = asyncio.ensure_future(_contained(function(*args, **kwargs)))
        try:
            await asyncio.wait({inner}, timeout=timeout)
        finally:
            late = not inner.done()
            inner.cancel()
        if late:
            await asyncio.wait({inner}, timeout=CANCEL_GRACE)
            if not inner.done():
                runs.occupy(inner, f"{task.name} {message.id}")
            raise TimeoutError(f"the run took longer than {timeout:g} s")
        if (error := inner.result()) is not None:
            raise error

    return call


async def _contained(call: Awaitable[Any]) -> BaseException | None:
    # A Task that ends with SystemExit or KeyboardInterrupt takes the event loop down.
    try:
        await call
    except BaseException as error:
        return error
    return None


def _threaded(
    task: Task[Any, Any], threads: ThreadPool, timeout: float | None, runs: Runs
) -> Call:
    function = task.function

    async def call(message: Message, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        future = threads.call(functools.partial(function, *args, **kwargs))
        if timeout is not None:
            await asyncio.wait({future}, timeout=timeout)
            if not future.done():
                runs.occupy(future, f"{task.name} {message.id}")
                raise TimeoutError(f"the run took longer than {timeout:g} s")
        await future

    return call
