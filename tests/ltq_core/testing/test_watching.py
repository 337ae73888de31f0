"""How the kit runs event loops: what blocks one is named, and holds up nothing else."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest

from ltq_core.testing import wait_until, watching
from ltq_core.testing.watching import off_loop, run_watched

over = threading.Event()


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "BLOCKED", 0.3)
    monkeypatch.setattr(watching, "_LOOK", 0.05)


async def block() -> None:
    over.wait(10)


async def leave_a_thread() -> None:
    _ = asyncio.get_running_loop().run_in_executor(None, over.wait, 10)


async def skip() -> None:
    await asyncio.sleep(0)
    pytest.skip("said in the event loop")


def test_what_a_coroutine_returns_is_returned() -> None:
    number = contextvars.ContextVar[int]("number")
    number.set(3)

    async def answer() -> int:
        await asyncio.sleep(0)
        return number.get()

    assert run_watched(answer()) == 3


def test_what_pytest_raises_is_raised() -> None:
    with pytest.raises(pytest.skip.Exception, match="said in the event loop"):
        run_watched(skip())


def test_blocked_event_loop_is_named() -> None:
    try:
        with pytest.raises(AssertionError, match=r"event loop is blocked at .*in .*wait"):
            run_watched(block())
    finally:
        over.set()


def test_thread_that_keeps_an_event_loop_from_ending_is_named() -> None:
    over.clear()
    try:
        with pytest.raises(AssertionError, match="does not end: a thread of it goes on"):
            run_watched(leave_a_thread())
    finally:
        over.set()


def test_thread_whose_result_nobody_awaits_any_more_ends_quietly() -> None:
    over.clear()
    ended: list[threading.Thread] = []

    def wait() -> None:
        ended.append(threading.current_thread())
        over.wait(10)

    async def give_up() -> None:
        call = asyncio.ensure_future(off_loop(wait))
        await wait_until(lambda: ended, 10, "the thread has begun")
        call.cancel()
        await asyncio.wait([call])

    run_watched(give_up())
    over.set()
    ended[0].join(10)

    assert not ended[0].is_alive()
