"""Waits for work without polling: for a token, for a time, or for the next sweep."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ltq_core import BrokerError, BrokerUnavailableError, get_logger
from ltq_redis.queue import NEVER
from ltq_redis.scripts import TOKEN

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ltq_redis.link import Link
    from ltq_redis.queue import QueueState

log = get_logger("redis")

# A message that came without a token is noticed within this many seconds; a bit less
# than the five that are promised.
SWEEP = 4.0

Wake = asyncio.Future[None]


class Waiter:
    """Blocks on the queues' tokens over a link of its own.

    The blocking call goes on when its callers stop waiting. A token that comes while
    nobody waits here is handed on: it may be meant for a worker that has a free slot.

    Args:
        waiting: The link to block.
        link: The link for everything else.
        queues: All queues that are consumed in this loop; it may grow.
    """

    def __init__(self, waiting: Link, link: Link, queues: Mapping[str, QueueState]) -> None:
        self._waiting = waiting
        self._link = link
        self._queues = queues
        self._loop = asyncio.get_running_loop()
        self._call: asyncio.Task[None] | None = None
        self._covered: frozenset[QueueState] = frozenset()
        self._spoiled: set[QueueState] = set()
        self._unwanted: set[QueueState] = set()
        self._swept = self._loop.time()
        self._wakes: dict[Wake, Sequence[QueueState]] = {}

    async def wait(self, queues: Sequence[QueueState], until: float) -> None:
        """Return once one of *queues* may be ready, or at *until* on the loop's clock.

        Raises:
            BrokerUnavailableError: Redis cannot be waited on.
        """
        self._unwanted.difference_update(queues)
        if self._call is not None and not self._covered.issuperset(queues):
            try:
                await self.close()
            finally:
                self.poke()  # then all look again, and whoever waits next waits for all
            return
        if self._call is None:
            self._covered = frozenset(self._queues.values()) - self._unwanted
            self._call = self._loop.create_task(self._block())
        await self._wake(queues, until)

    async def rest(self, until: float) -> None:
        """Return at *until*, or when poked; tokens are left to others meanwhile."""
        await self._wake((), until)

    async def _wake(self, queues: Sequence[QueueState], until: float) -> None:
        wake: Wake = self._loop.create_future()
        self._wakes[wake] = queues
        timer = None
        if until != float("inf"):
            timer = self._loop.call_at(until, _set, wake)
        try:
            await wake
        finally:
            del self._wakes[wake]
            if timer is not None:
                timer.cancel()

    def poke(self) -> None:
        """Let all who wait look again."""
        for wake in self._wakes:
            _set(wake)

    async def look(self, queues: Collection[QueueState]) -> None:
        """Make those of *queues* ready that may hold something; one command.

        It does not tell which: if any does, then all are asked that are not ready yet.

        Raises:
            BrokerUnavailableError: Redis cannot be asked.
        """
        now = self._loop.time()
        unknown = [queue for queue in queues if not queue.ready and queue.rests_until <= now]
        keys = [key for queue in unknown for key in queue.signs()]
        if keys and await self._link.call("EXISTS", *keys):
            for queue in unknown:
                queue.ready = True

    async def close(self) -> bool:
        """Stop blocking; a token that was on its way is made up for by a look at all.

        Returns:
            Whether the server knows of it, so that it gives no token to nobody any more.
        """
        call, self._call = self._call, None
        if call is None:
            return True
        call.cancel()
        try:
            await self._waiting.close()  # first: whoever waits meanwhile opens another one
            await asyncio.wait({call})
            # Redis gives tokens to a connection that was closed until it has heard of it, 6.2
            # for all calls that come at once with the end: so what follows comes later.
            await self._link.call("EXISTS", *(queue.keys.wake for queue in self._covered))
        except BrokerError as error:
            log.debug("A token may be lost, and a sweep replaces it: %s", error)
            return False
        finally:
            self._look_everywhere()
        return True

    async def leave(self) -> None:
        """Stop blocking, and hand on whatever token was spent on this worker."""
        if await self.close():
            await self._hand_on(self._covered)

    def fail(self, error: BrokerError) -> None:
        """Let all who wait raise *error*."""
        for wake in self._wakes:
            if not wake.done():
                wake.set_exception(error)

    async def _block(self) -> None:
        try:
            await self._block_once()
        except BrokerUnavailableError as error:
            self._look_everywhere()  # a token may be lost with its reply
            self.fail(error)
        except BrokerError as error:
            await self._leave_out(error)
        finally:
            if self._call is asyncio.current_task():
                self._call = None
                self.poke()

    async def _block_once(self) -> None:
        # Redis gives the first key's token where several stand: none may starve the others.
        queues = sorted(self._covered - self._spoiled, key=lambda queue: queue.woken)
        by_key = {queue.keys.wake.encode(): queue for queue in queues}
        popped = None
        if by_key:
            popped = await self._waiting.call("BLPOP", *by_key, SWEEP, patience=SWEEP)
        else:
            await asyncio.sleep(SWEEP)
        if popped is not None:
            await self._pass(by_key[popped[0]])
        # The tokens of one queue may come without a pause.
        if popped is None or self._loop.time() >= self._swept + SWEEP:
            await self._sweep()

    async def _leave_out(self, error: BrokerError) -> None:
        """Wait without the queues whose tokens are no list, if that was the *error*."""
        found: set[QueueState] = set()
        try:
            for queue in self._covered - self._spoiled:
                if await self._link.call("TYPE", queue.keys.wake) not in (b"none", b"list"):
                    log.error("Nothing wakes a worker for '%s': %s", queue.name, error)
                    found.add(queue)
        except BrokerError as another:
            error = another
        self._spoiled |= found
        if not found:
            self.fail(error)

    async def _sweep(self) -> None:
        """Look for messages without a token."""
        self._swept = self._loop.time()
        self._spoiled.clear()
        for queue in self._covered:
            if queue.due != NEVER:
                queue.ready = True  # it holds something: a claim tells whether that is new
        await self.look(self._covered)

    async def _pass(self, queue: QueueState) -> None:
        """Use a token here, or hand it on."""
        queue.ready, queue.woken = True, self._loop.time()
        if any(queue in queues for queues in self._wakes.values()):
            return
        self._unwanted.add(queue)  # until somebody waits for it, or it would come again at once
        await self._hand_on((queue,))

    async def _hand_on(self, queues: Collection[QueueState]) -> None:
        """Give others the tokens of *queues*."""
        keys: list[str] = []
        for queue in queues:
            keys += (queue.keys.queue, queue.keys.suspects, queue.keys.wake)
        if keys:
            try:
                await self._link.run(TOKEN, keys, [])
            except BrokerError as error:
                log.debug("A token is lost, and a sweep replaces it: %s", error)

    def _look_everywhere(self) -> None:
        for queue in self._covered:
            queue.ready = True


def _set(wake: Wake) -> None:
    if not wake.done():
        wake.set_result(None)
