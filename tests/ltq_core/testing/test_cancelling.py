"""How the kit cancels: within bounds, and naming what goes on regardless."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from ltq_core.testing import cancelling
from ltq_core.testing.cancelling import cut, end, in_time

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancelling, "STUBBORN", 0.05)


async def stubborn() -> None:
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            continue


def test_call_that_ignores_its_cancellation_is_named() -> None:
    """And it does not keep the event loop from ending."""
    with pytest.raises(AssertionError, match="^stubborn ignored its cancellation"):
        asyncio.run(_with(lambda call: end([call])))


def test_wait_for_a_call_that_ignores_its_cancellation_ends() -> None:
    with pytest.raises(AssertionError, match="^stubborn ignored its cancellation"):
        asyncio.run(_with(lambda call: in_time(call, 0.01, "consume()")))


def test_slow_call_is_named() -> None:
    async def wait() -> None:
        await in_time(asyncio.ensure_future(asyncio.sleep(3600)), 0.01, "consume()")

    with pytest.raises(AssertionError, match=r"^consume\(\) did not return within 0.01 s"):
        asyncio.run(wait())


def test_whoever_cuts_may_be_cancelled() -> None:
    """The kit's own time limit is not swallowed by the call that is cut."""

    async def reluctant() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        await asyncio.sleep(3600)

    async def cut_and_be_cancelled() -> None:
        cutting = asyncio.ensure_future(_with(cut, reluctant))
        for _ in range(3):  # it begins, and so does the call
            await asyncio.sleep(0)
        cutting.cancel()
        await asyncio.wait([cutting])

        assert cutting.cancelled()

    asyncio.run(cut_and_be_cancelled())


async def _with(
    work: Callable[[asyncio.Future[None]], Awaitable[object]],
    call: Callable[[], Coroutine[Any, Any, None]] = stubborn,
) -> None:
    begun = asyncio.ensure_future(call())
    await asyncio.sleep(0)
    await work(begun)
