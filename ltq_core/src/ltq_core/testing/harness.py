"""`Harness`: workers and schedules on a ``memory://`` store of their own, under watch."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Self

from ltq_core.app import App
from ltq_core.broker import Broker
from ltq_core.clock import virtual_clock
from ltq_core.scheduler import Scheduler
from ltq_core.testing.faults import Faults
from ltq_core.testing.lives import Shift
from ltq_core.testing.record import Recorder, Report, Sent
from ltq_core.testing.tap import Tap
from ltq_core.values import seconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
    from datetime import timedelta

    from ltq_core.worker import Worker

_stores = count(1)

LEASE = 300.0
"""Seconds of a lease, if nobody says otherwise: ten times what brokers have, since keeping
it costs a test ten microseconds for each third of it that passes."""

# Seconds between a schedule's looks at the store's clock, which is its own clock here.
_SELDOM = 86400.0


class Harness:
    """Lets workers and schedules run in a test, and reports what they did.

    While it is entered, they have a ``memory://`` store of their own in place of their
    brokers, and nothing runs but in `drain` and `run_for`, in the event loop of the test:
    an app's workers too. What is sent meanwhile waits, and is noted in `sent`.

    On a `VirtualClock`, delays, retries, schedules and leases take no time; in another
    event loop they take the time that they take.

    Args:
        parts: Workers, apps and schedulers.
        lease: Seconds after which the messages of a killed worker come back.

    Attributes:
        faults: What shall go wrong.

    Raises:
        AssertionError: On leaving: a fault switch never struck, so the test tests nothing.
    """

    def __init__(self, *parts: Worker | App | Scheduler, lease: float = LEASE) -> None:
        self.faults = Faults()
        self._workers = list(dict.fromkeys(_workers(parts)))
        self._schedulers = [part for part in parts if isinstance(part, Scheduler)]
        self._lease = lease
        self._url = f"memory://harness-{next(_stores)}?lease={lease}"
        self._report = Report()
        self._recorder = Recorder(self._report.runs, self._notice)
        self._taps: dict[Worker, Tap] = {}
        self._settled = asyncio.Event()
        self._exits = ExitStack()

    @property
    def sent(self) -> list[Sent]:
        """What was sent since it was entered, in that order; retries are not."""
        return self._report.sent

    def __enter__(self) -> Self:
        """Put the store in place of the brokers."""
        self._store: Any = Broker.from_url(self._url)
        for worker in self._workers:
            self._taps[worker] = self._tap(worker)
            worker.middlewares.insert(0, self._recorder)
            self._exits.callback(worker.middlewares.remove, self._recorder)
        for scheduler in self._schedulers:
            self._tap(scheduler)
            self._exits.callback(setattr, scheduler, "poll_interval", scheduler.poll_interval)
            scheduler.poll_interval = _SELDOM
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc_info: object) -> None:
        """Put the brokers back."""
        self._exits.close()
        pending = self.faults.pending()
        if kind is None and pending:
            raise AssertionError(f"These faults never happened: {'; '.join(pending)}.")

    async def drain(self, within: float | timedelta | None = None) -> Report:
        """Run the workers until no message waits, delayed ones included, and none runs.

        Schedules do not run meanwhile: they never come to an end.

        Args:
            within: Seconds after which that is given up.

        Returns:
            What happened meanwhile.

        Raises:
            AssertionError: It took longer; says what is left.
            ConfigurationError: As from `Worker.run`.
        """
        limit = None if within is None else seconds(within)
        return await self._work(partial(self._drained, limit), ())

    async def run_for(self, duration: float | timedelta) -> Report:
        """Run workers and schedules for *duration* seconds, then let them stop in good order.

        Returns:
            What happened meanwhile.

        Raises:
            ConfigurationError: As from `Worker.run` and `Scheduler.run`.
        """
        return await self._work(partial(asyncio.sleep, seconds(duration)), self._schedulers)

    def _tap(self, owner: Worker | Scheduler) -> Tap:
        former = vars(owner).get("broker")
        tap = Tap(self._url, self._lease, self.faults, self._report, self._notice)
        owner.broker = tap
        self._exits.callback(_put_back, owner, former)
        return tap

    def _notice(self) -> None:
        self._settled.set()

    async def _work(
        self, goal: Callable[[], Coroutine[Any, Any, None]], schedulers: Iterable[Scheduler]
    ) -> Report:
        """Let workers and *schedulers* run until *goal* is reached or one of them fails."""
        _check_clock()
        before = self._report.copy()
        async with self._at_work(schedulers) as parts:
            reached = asyncio.create_task(goal())
            try:
                await asyncio.wait({reached, *parts}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                reached.cancel()
                await asyncio.wait({reached})
        if reached.cancelled():
            raise RuntimeError("A worker or schedule was stopped before its time.")
        reached.result()
        return self._report.since(before)

    @asynccontextmanager
    async def _at_work(
        self, schedulers: Iterable[Scheduler]
    ) -> AsyncIterator[list[asyncio.Task[None]]]:
        shifts = [Shift(worker, tap) for worker, tap in self._taps.items()]
        parts = [asyncio.create_task(shift.work()) for shift in shifts]
        try:
            parts += [scheduler.start_background() for scheduler in schedulers]
            yield parts
        finally:
            for scheduler in schedulers:
                await scheduler.stop()
            for shift in shifts:
                shift.stop()
            await asyncio.gather(*parts, return_exceptions=True)
        for part in parts:
            part.result()

    async def _drained(self, within: float | None) -> None:
        self._settled = asyncio.Event()
        try:
            async with asyncio.timeout(within):
                while await self._left():
                    await self._settled.wait()
                    self._settled.clear()
        except TimeoutError:
            left = "; ".join(await self._left())
            raise AssertionError(f"Not drained within {within:g} s: {left}.") from None

    async def _left(self) -> list[str]:
        """What keeps the workers busy, a line each."""
        left = [] if not self._recorder.active else [f"{self._recorder.active} runs go on"]
        left += [
            f"{worker.name} is handed a message twice"
            for worker, tap in self._taps.items()
            if not tap.quiet
        ]
        for queue in [name for worker in self._workers for name in worker.tasks]:
            stats = await self._store.stats(queue)
            if stats.waiting or stats.running:
                left.append(f"{queue}: {stats.waiting} waiting, {stats.running} running")
        return left


def _workers(parts: Iterable[Worker | App | Scheduler]) -> Iterable[Worker]:
    for part in parts:
        if isinstance(part, App):
            yield from part.workers.values()
        elif not isinstance(part, Scheduler):
            yield part


def _put_back(owner: Worker | Scheduler, broker: Broker | None) -> None:
    if broker is None:
        del owner.broker  # it is made anew at its next use
    else:
        owner.broker = broker


def _check_clock() -> None:
    clock = virtual_clock()
    loop = asyncio.get_running_loop()
    if clock is not None and getattr(loop, "clock", None) is not clock:
        raise RuntimeError(
            "A virtual clock moves only in its own event loop: use clock.run(…) for this call."
        )
