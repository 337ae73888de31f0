"""`Life`: one run of a scheduler, from its start to its stop."""

from __future__ import annotations

import asyncio
import concurrent.futures
from typing import TYPE_CHECKING

from ltq_core.errors import BrokerUnavailableError
from ltq_core.logger import counted, get_logger
from ltq_core.patience import LONGEST_PAUSE, patiently
from ltq_core.scheduler.store_clock import StoreClock
from ltq_core.scheduler.ticker import Ticker

if TYPE_CHECKING:
    from collections.abc import Collection

    from ltq_core.abilities import Ticks
    from ltq_core.scheduler.jobs import Job

log = get_logger("scheduler")

# The most calls at once, so that a thousand jobs due at midnight do not make a thousand
# connections. A guess: as many as a worker runs by default.
_CALLS = 100

# How long a scheduler that found the broker away waits when it is back, in seconds: so
# that those that lived through it, and pause up to LONGEST_PAUSE between attempts, send
# the ticks of that time before this one, which did not, passes over them.
_COURTESY = 2 * LONGEST_PAUSE


class Life:
    """One run of a scheduler, which other threads may end and wait for.

    Args:
        ticks: Where the messages go.
        poll_interval: Seconds that a look at the store's clock is good for.
        connect_timeout: Seconds to wait for a broker that is away at the start, or None.

    Attributes:
        ended: Done when the run has ended.
    """

    def __init__(
        self, ticks: Ticks, poll_interval: float, connect_timeout: float | None
    ) -> None:
        self._ticks = ticks
        self._connect_timeout = connect_timeout
        self._clock = StoreClock(ticks, poll_interval)
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self.ended: concurrent.futures.Future[None] = concurrent.futures.Future()
        self.ended.set_running_or_notify_cancel()  # so that no waiter can cancel it

    @property
    def over(self) -> bool:
        """Whether it cannot go on: its event loop was closed around it."""
        return self._loop.is_closed()

    def end(self) -> None:
        """Let `run` return.

        Concurrency:
            Safe from any thread and from signal handlers.
        """
        try:
            self._loop.call_soon_threadsafe(self._stop.set)
        except RuntimeError:
            log.debug("The scheduler's event loop was closed already")

    async def run(self, jobs: Collection[Job]) -> None:
        """Send the messages of *jobs* until `end`.

        Raises:
            BrokerUnavailableError: The broker stayed away at the start.
        """
        work = asyncio.ensure_future(self._work(jobs))
        stopping = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            work.cancel()
            stopping.cancel()
            await asyncio.wait({work, stopping})
            if not work.cancelled():
                work.result()

    async def _work(self, jobs: Collection[Job]) -> None:
        born = self._loop.time()
        if await self._wait_for_broker():
            await asyncio.sleep(_COURTESY)
        log.info("Scheduling %s", counted(len(jobs), "job"))
        slots = asyncio.Semaphore(_CALLS)
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                ticker = Ticker(job, self._ticks, self._clock, slots)
                group.create_task(ticker.run(self._clock.at(born)))
            await asyncio.Event().wait()  # until cancelled, even if no job has ticks left

    async def _wait_for_broker(self) -> bool:
        """Look at the store's clock for the first time; whether the broker was away."""
        try:
            async with asyncio.timeout(self._connect_timeout):
                try:
                    await self._clock.look()
                except BrokerUnavailableError:
                    await patiently(self._clock.look, "The start of the scheduler")
                    return True
        except TimeoutError as error:
            raise BrokerUnavailableError(
                f"The broker stayed away for {self._connect_timeout:g} s."
            ) from error
        return False
