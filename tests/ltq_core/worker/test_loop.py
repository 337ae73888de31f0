"""What ends the event loop of a worker, and what does not."""

from __future__ import annotations

import asyncio
import sys

import pytest

from ltq_core.worker.loop import run_to_its_end


@pytest.mark.parametrize("error", [ValueError(), SystemExit(3), asyncio.CancelledError()])
def test_what_the_work_raises_is_raised(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails() -> None:
        raise error

    with asyncio.Runner() as runner, pytest.raises(type(error)):
        run_to_its_end(runner, fails())

    assert caplog.text == ""


def test_exit_of_another_is_told_and_does_not_end_the_work(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def works() -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.call_soon(sys.exit, 3)
        loop.call_soon(loop.stop)
        loop.call_soon(ended.set)
        await ended.wait()

    with asyncio.Runner() as runner:
        run_to_its_end(runner, works())

    assert "SystemExit: 3" in caplog.text
    assert "Event loop stopped" in caplog.text


def test_exit_of_another_as_the_work_ends_does_not_stand_for_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fails() -> None:
        asyncio.get_running_loop().call_soon(sys.exit, 3)
        raise ValueError("a bug")

    with asyncio.Runner() as runner, pytest.raises(ValueError, match="a bug"):
        run_to_its_end(runner, fails())

    assert "SystemExit: 3" in caplog.text
