"""The tasks of every peer that runs coroutines."""

import asyncio
from collections.abc import Awaitable, Callable

from peers.meter import began, ran, started
from peers.settings import TASKS


async def noop() -> None:
    began()
    ran()


async def nap() -> None:
    began()
    await asyncio.sleep(0.01)
    ran()


async def stamp(sent_at: float) -> None:
    started(sent_at)


async def pair(to: str, subject: str) -> None:
    began()
    ran()


def _spare(number: int) -> Callable[[], Awaitable[None]]:
    async def spare() -> None:
        began()
        ran()

    spare.__name__ = spare.__qualname__ = f"spare_{number}"
    return spare


_WORK: tuple[Callable[..., Awaitable[None]], ...] = (noop, nap, stamp, pair)
ALL = (*_WORK, *(_spare(number) for number in range(len(_WORK), TASKS)))[:TASKS]
