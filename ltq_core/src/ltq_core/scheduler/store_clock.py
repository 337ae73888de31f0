"""`StoreClock`: the broker's clock, kept by the local monotonic one between looks."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ltq_core.patience import patiently

if TYPE_CHECKING:
    from ltq_core.abilities import Ticks


class StoreClock:
    """What time it is at the store, without asking each time.

    The local wall clock plays no part. A look at the store's clock is good for
    *longest* seconds, or until somebody has reason to `distrust` it.

    Args:
        broker: Whose clock it is.
        longest: Seconds that a look is good for.
    """

    def __init__(self, broker: Ticks, longest: float) -> None:
        self._broker = broker
        self._longest = longest
        self._loop = asyncio.get_running_loop()
        self._looking = asyncio.Lock()
        self._offset = -math.inf
        self._good_until = -math.inf

    def at(self, local: float) -> datetime:
        """The store's time when the event loop's clock shows *local*."""
        return datetime.fromtimestamp(local + self._offset, UTC)

    def now(self) -> datetime:
        """The store's time; at most a round trip behind it, and not ahead of it."""
        return self.at(self._loop.time())

    async def look(self) -> None:
        """Ask the store once.

        Raises:
            BrokerUnavailableError: It did not answer.
        """
        asked = self._loop.time()
        answer = await self._broker.time()
        answered = self._loop.time()
        # The store read its clock at some moment between. While the former offset is
        # possible, it stays: a slow answer makes nothing worse. Else the lower bound
        # is taken, since a tick may be late by a round trip, but never early.
        if not answer - answered <= self._offset <= answer - asked:
            self._offset = answer - answered
        self._good_until = answered + self._longest

    def distrust(self) -> None:
        """Have the next `refresh` ask: the store failed, or may be another one now."""
        self._good_until = -math.inf

    async def refresh(self) -> None:
        """Look unless the last look is still good; wait while the broker is away.

        Concurrency:
            One caller looks, with a warning line an attempt; the others wait for it.
        """
        if self._loop.time() < self._good_until:
            return
        async with self._looking:
            if self._loop.time() >= self._good_until:
                await patiently(self.look, "A look at the broker's clock")

    async def sleep_until(self, instant: datetime) -> None:
        """Return when the store's clock shows *instant*, looking at it as needed."""
        target = instant.timestamp()
        while (left := target - self._offset - self._loop.time()) > 0:
            good = self._good_until - self._loop.time()
            if good > 0:
                await asyncio.sleep(min(left, good))
            else:
                await self.refresh()
