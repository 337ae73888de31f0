"""Renews one loop's leases and takes over what dead workers left, from a thread."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from ltq_core import BrokerError, BrokerUnavailableError, LeaseKeeper, get_logger
from ltq_redis.link import Link
from ltq_redis.reply import text
from ltq_redis.scripts import BEAT, RECLAIM

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from ltq_redis.keys import QueueKeys
    from ltq_redis.queue import Batch, QueueState
    from ltq_redis.settings import Settings
    from ltq_redis.topology import Topology

log = get_logger("redis")

# What one `reclaim` takes over at most; as in Lua.
BOUND = 200
# What a beat answers for a batch whose lease has ended; as in Lua.
GONE = -1


# How long after its last failure a worker takes nothing over, in leases: more than the
# timeout of a beat and the pause before the next one, so that all who live have renewed.
PATIENCE = 0.7


class Lease:
    """Keeps the leases of one event loop's queues.

    The beats run in the keeper's thread, in an event loop of its own, over a link of
    its own: nothing that blocks the worker's loop can hold them up.

    Args:
        queues: The loop's queues by name; it may grow.
        wake: Lets the loop look for work again; called through the loop.
    """

    def __init__(
        self,
        topology: Topology,
        tag: str,
        settings: Settings,
        queues: dict[str, QueueState],
        wake: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._queues = queues
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._runner: asyncio.Runner | None = None
        # A beat that hangs must leave time for the next one before the lease ends.
        timeout = min(settings.timeout, settings.lease / 3)
        self._patient_until = 0.0
        self._link = Link(lambda: topology.connect(tag), timeout, settings.server)
        self._keeper = LeaseKeeper(
            settings.lease / 3,
            self._beat,
            self._lost,
            stuck=settings.stuck,
            finish=self._finish,
        )

    def start(self) -> None:
        """Begin to beat; a second call does nothing."""
        self._keeper.start()

    async def stop(self) -> None:
        """End the beats."""
        await self._keeper.stopped()

    def discard(self) -> None:
        """End the beats, without waiting for one that is under way."""
        self._keeper.stop(wait=False)

    def _beat(self) -> list[Hashable]:
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(self._beat_all())

    def _finish(self) -> None:
        if self._runner is not None:
            self._runner.run(self._link.close())
            self._runner.close()

    async def _beat_all(self) -> list[Hashable]:
        rows = [(queue, list(queue.batches.values())) for queue in list(self._queues.values())]
        keys: list[str] = []
        args: list[Any] = [self._settings.lease]
        for queue, batches in rows:
            keys += (queue.keys.workers, *(batch.processing for batch in batches))
            args += (len(batches), *(batch.worker for batch in batches))
        reply = await self._renew(keys, args) if keys else []
        lost: list[Hashable] = []
        # An empty reply says that nobody holds anything, not even this process.
        for i, (queue, batches) in enumerate(rows):
            row = reply[i] if reply else ([], [GONE] * len(batches))
            if isinstance(row, bytes):
                log.error("No lease on '%s' can be renewed: %s", queue.name, text(row))
                continue
            ended, held = row
            for batch, count in zip(batches, held, strict=True):
                if self._note(batch, count):
                    lost.append(queue.name)
            if time.monotonic() >= self._patient_until:
                await self._take_over_all(queue, [text(worker) for worker in ended])
        return lost

    async def _renew(self, keys: list[str], args: list[Any]) -> Any:
        try:
            return await self._link.run(BEAT, keys, args)
        except BrokerUnavailableError:
            # An outage may end everybody's lease: let the living renew theirs first.
            self._patient_until = time.monotonic() + PATIENCE * self._settings.lease
            raise

    def _note(self, batch: Batch, count: int) -> bool:
        """Note how many messages W holds; whether its lease was lost with some of them."""
        if count == GONE and batch.late:
            batch.late -= 1
            return False
        if count == GONE and batch.settling:
            return False  # a call that ends the batch may have come first: its reply tells
        if count == GONE:
            return batch.lose()
        if count > len(batch.held):
            # More than this process knows of: a call whose reply was lost came late.
            batch.unsure = batch.queue.ready = True
            self._call_wake()
        return False

    async def _take_over_all(self, queue: QueueState, workers: list[str]) -> None:
        """Take over what *workers* left, in as few round trips as that needs."""
        calls = [self._take_over(queue.keys, worker) for worker in workers]
        results = await asyncio.gather(*calls, return_exceptions=True)
        if total := sum(count for count in results if isinstance(count, int)):
            log.warning("%d messages of a dead worker stand again in '%s'", total, queue.name)
            # The token may go to a dead worker, whose connection the server takes for alive.
            queue.ready = True
            self._call_wake()
        for failure in results:
            if isinstance(failure, BaseException):
                raise failure

    async def _take_over(self, names: QueueKeys, worker: str) -> int:
        try:
            return await reclaim(self._link, names, worker, died=True)
        except BrokerUnavailableError:
            raise
        except BrokerError as error:  # a key of the wrong type: other queues go on
            log.error("A dead worker's part of '%s' stays: %s", names.written, error)
            return 0

    def _lost(self, queues: list[Hashable]) -> None:
        log.warning("The lease on %s was lost; its messages run elsewhere", queues)
        self._call_wake()

    def _call_wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._wake)
        except RuntimeError as error:  # the loop is closed: nobody works there any more
            log.debug("Nobody to wake: %s", error)


async def reclaim(link: Link, names: QueueKeys, worker: str, *, died: bool) -> int:
    """Return what *worker* holds to its queue; how many messages that were.

    Raises:
        BrokerUnavailableError: Redis cannot be reached; calling again goes on.
    """
    keys = [names.queue, names.processing(worker), names.workers, names.deliveries]
    keys += [names.suspects, names.wake, names.running, names.parked, names.reserved]
    total, moved = 0, BOUND
    while moved == BOUND:
        moved = await link.run(RECLAIM, keys, [worker, int(died)])
        total += moved
    return total
