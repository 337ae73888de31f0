"""Gives back the turn to ask for the next slot of a rate when this worker has no room then."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ltq_core import BrokerError, get_logger
from ltq_redis.queue import AHEAD, NEVER
from ltq_redis.scripts import TURN

if TYPE_CHECKING:
    from ltq_redis.link import Link
    from ltq_redis.queue import QueueState

log = get_logger("redis")

# How many seconds after the time to ask a turn is given back. A worker asks half of AHEAD
# before the slot; the rest is for another one to be woken and to claim.
GRACE = AHEAD / 5


class Turns:
    """Watches over what this loop's workers were told to ask for, and when."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._timers: dict[QueueState, asyncio.TimerHandle] = {}
        self._calls: set[asyncio.Task[None]] = set()

    def watch(self, queue: QueueState) -> None:
        """A claim has told when to ask again: where nobody does, another worker shall."""
        if timer := self._timers.pop(queue, None):
            timer.cancel()
        if queue.paced and queue.due != NEVER:
            at = queue.due + GRACE
            self._timers[queue] = self._loop.call_at(at, self._give_back_later, queue)

    async def leave(self) -> None:
        """Give back all turns at once: this worker asks for nothing more."""
        for queue in list(self._timers):
            self._timers.pop(queue).cancel()
            await self._give_back(queue)
        if self._calls:
            await asyncio.wait(self._calls)

    def close(self) -> None:
        """Watch no more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _give_back_later(self, queue: QueueState) -> None:
        del self._timers[queue]
        call = self._loop.create_task(self._give_back(queue))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _give_back(self, queue: QueueState) -> None:
        keys = queue.keys
        try:
            await self._link.run(TURN, [keys.turn, keys.queue, keys.wake], [queue.worker])
        except BrokerError as error:
            log.debug("A turn is kept until it ends by itself: %s", error)
