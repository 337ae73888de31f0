"""Cancelling a call at every moment of its life."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")

MOMENTS = (*range(24), *range(24, 240, 12))
"""After how many turns of the event loop a call is cancelled: each of the first, for what
a broker does by itself, and some later ones, for what a server's answer takes."""


async def cancelled(call: Awaitable[T], turns: int) -> T | None:
    """What *call* returned within so many turns of the event loop; else it is cancelled."""
    future = asyncio.ensure_future(call)
    for _ in range(turns):
        await asyncio.sleep(0)
    future.cancel()
    try:
        return await future
    except asyncio.CancelledError:
        return None
