"""wait_until waits in coroutines and in plain code, and says what it waited for."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest

from ltq_core.testing import wait_until


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


def test_failure_says_what_was_waited_for() -> None:
    """A condition that stays false is an AssertionError with the description."""
    with pytest.raises(AssertionError, match=r"Waited 0.02 s in vain until: pigs fly"):
        wait_until(lambda: False, 0.02, "pigs fly")


def test_condition_is_asked_once_more_at_the_end() -> None:
    """Even without any patience the condition is asked."""
    assert wait_until(lambda: True, 0)
