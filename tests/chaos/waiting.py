"""Waiting for what must happen."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# Asking reads a log and a Redis that are under load themselves.
PAUSE = 0.05


class StuckError(Exception):
    """What was waited for did not happen."""


async def until(condition: Callable[[], Any], timeout: float, what: str) -> float:
    """Wait until *condition* returns something true; when that was, on the monotonic clock.

    Raises:
        StuckError: *timeout* seconds went by.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise StuckError(f"waited {timeout:g} s in vain until {what}")
        await asyncio.sleep(PAUSE)
    return time.monotonic()
