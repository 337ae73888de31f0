"""A caller that waits for messages, woken from any thread."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

# A timer may fire a little early by the wall clock, which due times are read from;
# without a floor the waiter would spin until the two agree.
_SHORTEST = 0.0005


class Waiter:
    """Waits in one event loop until something may have come for *queues*."""

    def __init__(self, owner: object, queues: Collection[str], seconds: float) -> None:
        self.owner = owner
        self.queues = frozenset(queues)
        self._loop = asyncio.get_running_loop()
        self._woken: asyncio.Future[None] = self._loop.create_future()
        self._seconds = seconds

    async def wait(self) -> None:
        """Return when woken, or when the seconds have passed."""
        if self._seconds == math.inf:
            await self._woken
            return
        timer = self._loop.call_later(max(self._seconds, _SHORTEST), self._finish, None)
        try:
            await self._woken
        finally:
            timer.cancel()

    def wake(self, error: Exception | None = None) -> None:
        """Let `wait` return, or raise *error*; from any thread."""
        if _running_loop() is self._loop:
            self._finish(error)
            return
        with suppress(RuntimeError):  # its loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._finish, error)

    def _finish(self, error: Exception | None) -> None:
        if self._woken.done():
            return
        if error is None:
            self._woken.set_result(None)
        else:
            self._woken.set_exception(error)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
