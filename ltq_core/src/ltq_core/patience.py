"""Tries again while the broker is away, less and less often."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

from ltq_core.errors import BrokerUnavailableError
from ltq_core.logger import describe, get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = get_logger("worker")

LONGEST_PAUSE = 1.0


def pause(attempt: int) -> float:
    """Seconds to wait after *attempt* failures: up to a second, doubling, jittered."""
    return min(LONGEST_PAUSE, 0.05 * 2.0 ** min(attempt, 10)) * random.uniform(0.5, 1.0)


async def patiently(call: Callable[[], Awaitable[Any]], what: str) -> Any:
    """Repeat *call* until the broker answers, with a warning line an attempt."""
    attempt = 0
    while True:
        try:
            return await call()
        except BrokerUnavailableError as error:
            delay = pause(attempt)
            attempt += 1
            log.warning("%s is tried again in %.2f s: %s", what, delay, describe(error))
            await asyncio.sleep(delay)
