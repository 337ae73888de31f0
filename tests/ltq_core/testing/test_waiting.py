"""wait_until waits in coroutines and in plain code, and says what it waited for."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING

import pytest

from ltq_core.testing import run_virtual, virtual_time, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable


def test_plain_code_waits() -> None:
    """Without an event loop the call itself waits, and returns the answer."""
    asked = count()

    assert wait_until(lambda: next(asked) == 3 and "done", 5, "the fourth call") == "done"


def test_coroutine_waits_without_blocking() -> None:
    """In a coroutine the wait lets others run."""

    async def run() -> str:
        asyncio.get_running_loop().call_later(0.02, done.append, "done")
        answer: list[str] = await wait_until(lambda: done, 5, "a timer of the same loop")
        return answer[0]

    done: list[str] = []
    assert asyncio.run(run()) == "done"


def test_condition_may_be_a_coroutine_function() -> None:
    """In a coroutine the condition may be awaited too."""

    async def condition() -> bool:
        return True

    async def run() -> object:
        return await wait_until(condition)

    assert asyncio.run(run()) is True


@virtual_time
async def test_time_is_that_of_a_virtual_clock() -> None:
    """On a virtual clock what comes in time is awaited, however little real time passes."""
    done: list[str] = []
    asyncio.get_running_loop().call_later(9, done.append, "done")

    assert await wait_until(lambda: done, 10, "nine virtual seconds") == ["done"]


@pytest.mark.parametrize("run", [asyncio.run, run_virtual])
def test_patience_ends_on_the_clock_of_the_loop(run: Callable[..., float]) -> None:
    """A coroutine's wait is as long as its own loop says, be it real or virtual."""

    async def wait_in_vain() -> float:
        time = asyncio.get_running_loop().time
        start = time()
        with pytest.raises(AssertionError):
            await wait_until(lambda: False, 1)
        return time() - start

    assert 1 <= run(wait_in_vain()) < 2


def test_failure_says_what_was_waited_for() -> None:
    """A condition that stays false is an AssertionError with the description."""
    with pytest.raises(AssertionError, match=r"Waited 0.02 s in vain until: pigs fly"):
        wait_until(lambda: False, 0.02, "pigs fly")


def test_condition_is_asked_once_more_at_the_end() -> None:
    """Even without any patience the condition is asked."""
    assert wait_until(lambda: True, 0)
