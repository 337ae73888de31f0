"""`Ticker`: sends the ticks of one job, in order, for as long as the scheduler lives."""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ltq_core.errors import LTQError
from ltq_core.logger import describe, get_logger
from ltq_core.patience import pause
from ltq_core.scheduler.owed import LIMIT, latest, missed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ltq_core.abilities import Ticks
    from ltq_core.scheduler.jobs import Job
    from ltq_core.scheduler.store_clock import StoreClock

log = get_logger("scheduler")

# From this lateness on, more than one tick may be due. A guess: well above what a busy
# event loop takes, and below what anybody would call an outage.
_BEHIND = timedelta(seconds=1)

# Seconds within which a scheduler that lives sends its next tick, if it is late with one:
# no tick shall leave later than this, save one in a hundred.
_SIGN_OF_LIFE = 0.25


class Ticker:
    """One job at work.

    Each of several identical schedulers sends each tick; the store keeps the first, and
    refuses what is older than the last one. So ticks go in order, and the next one only
    when the one before is known to be sent.

    Args:
        job: Whose ticks to send.
        broker: Where to.
        clock: The store's clock.
        slots: Bounds the calls of all jobs together.
    """

    def __init__(
        self, job: Job, broker: Ticks, clock: StoreClock, slots: asyncio.Semaphore
    ) -> None:
        self._job = job
        self._broker = broker
        self._clock = clock
        self._slots = slots
        self._owed: deque[datetime] = deque(maxlen=LIMIT)
        self._position = datetime.min.replace(tzinfo=UTC)

    async def run(self, born: datetime) -> None:
        """Send every tick later than *born*, and what was missed before; until cancelled.

        Cancellation:
            The tick being sent may or may not have been sent; none was passed over.
        """
        await self._persist(lambda: self._resume(born))
        await self._persist(self._send)
        while (tick := await self._next()) is not None:
            await self._clock.sleep_until(tick)
            self._owe([tick])
            await self._persist(self._send)

    async def _next(self) -> datetime | None:
        # In its turn: to find a tick takes longer than to send one, and hundreds of other
        # jobs may be due now.
        async with self._slots:
            return self._job.next(self._position)

    async def _resume(self, born: datetime) -> None:
        last = await self._last_tick()
        owed = missed(self._job, last, born)
        if last is not None and self._passes_over(last, owed, born):
            # Once a later tick is sent, the store refuses these from anybody. So see first
            # whether a scheduler lives that is late with them: then none is passed over.
            await asyncio.sleep(_SIGN_OF_LIFE)
            since = await self._last_tick()
            if since is not None and since > last:
                self._position = since
                return
        self._owed.extend(owed)
        self._position = max(born, last or born)

    async def _last_tick(self) -> datetime | None:
        async with self._slots:
            last = await self._broker.last_tick(self._job.task_name, self._job.identity)
        return None if last is None else datetime.fromtimestamp(last, UTC)

    def _passes_over(self, last: datetime, owed: Sequence[datetime], born: datetime) -> bool:
        first = self._job.next(last)
        return first is not None and first <= born and first not in owed

    def _owe(self, ticks: Sequence[datetime]) -> None:
        self._owed.extend(ticks)
        self._position = ticks[-1]

    async def _send(self) -> None:
        self._catch_up()
        while self._owed:
            async with self._slots:
                await self._clock.refresh()
                await self._publish(self._owed[0])
            self._owed.popleft()
            await asyncio.sleep(0)  # a broker that answers at once lets others run too

    async def _publish(self, tick: datetime) -> None:
        message = self._job.message(tick, self._clock.now().timestamp())
        mark = self._job.mark(tick)
        sent = await self._broker.publish_tick(self._job.identity, mark, message)
        log.debug("%s: %s %s", self._job, tick, "sent" if sent else "was sent already")

    def _catch_up(self) -> None:
        """Owe what has fallen due since the last tick owed, if that was a while ago."""
        now = self._clock.now()
        if now - self._position < _BEHIND:
            return
        if ticks := latest(self._job, self._position, now, LIMIT):
            self._owe(ticks)
        if len(ticks) == LIMIT:
            log.warning("%s: only its latest %d ticks are sent", self._job, LIMIT)

    async def _persist(self, step: Callable[[], Awaitable[None]]) -> None:
        """Take *step*, again and again until the broker allows it."""
        failures = 0
        while True:
            try:
                return await step()
            except LTQError as error:
                self._clock.distrust()
                delay = pause(failures)
                failures += 1
                log.warning(
                    "%s is tried again in %.2f s: %s", self._job, delay, describe(error)
                )
            await asyncio.sleep(delay)
            await self._clock.refresh()
