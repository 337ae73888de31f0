"""`wait_until`: how a test waits for what must happen."""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PAUSE = 0.005  # short beside what is waited for, long enough to leave the processor alone


def wait_until(
    condition: Callable[[], Any], timeout: float = 10.0, description: str = ""
) -> Any:
    """Wait until *condition* returns something true, asking again and again.

    In a coroutine it is awaited, and *condition* may be a coroutine function::

        await wait_until(lambda: len(done) == 3, 5, "three runs are done")

    In synchronous code the call itself waits.

    Args:
        condition: Asked until it is true.
        timeout: Seconds until that is given up; in a coroutine, on its loop's clock,
            which may be a virtual one.
        description: What is waited for, for the failure.

    Returns:
        What *condition* returned at last; in a coroutine, an awaitable of it.

    Raises:
        AssertionError: It did not become true in time.
    """
    description = description or getattr(condition, "__name__", "it")
    if (loop := asyncio._get_running_loop()) is not None:
        return _wait(condition, _attempts(loop.time, timeout, description))
    for _ in _attempts(time.monotonic, timeout, description):
        if answer := condition():
            return answer
        time.sleep(_PAUSE)
    raise AssertionError


async def _wait(condition: Callable[[], Any], attempts: Iterator[None]) -> Any:
    for _ in attempts:
        answer = condition()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        await asyncio.sleep(_PAUSE)
    raise AssertionError


def _attempts(clock: Callable[[], float], timeout: float, description: str) -> Iterator[None]:
    end = clock() + timeout
    yield
    while clock() < end:
        yield
    yield
    raise AssertionError(f"Waited {timeout:g} s in vain until: {description}")
