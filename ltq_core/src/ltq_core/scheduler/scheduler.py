"""`Scheduler`: a registry of jobs, and the process that sends their messages in time."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ltq_core.abilities import Ticks
from ltq_core.broker import Broker, broker_url_of
from ltq_core.errors import BrokerUnavailableError, ConfigurationError, OptionValueError
from ltq_core.logger import describe, get_logger
from ltq_core.scheduler.jobs import AtJob, CronJob, EveryJob, Job, Missed
from ltq_core.scheduler.life import Life
from ltq_core.scheduler.schedule import Schedule

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from zoneinfo import ZoneInfo

    from ltq_core.message import Message

log = get_logger("scheduler")


class Scheduler:
    """Sends messages at the times of cron lines, at intervals and at single instants.

    Any number of identical schedulers may run on one store: each tick is sent exactly
    once, and goes by the store's clock. While one lives, it owes every tick, so those
    of a time when the broker was away are sent when it is back (the latest 1,000 a
    job). *missed* says what becomes of ticks that fell due while none lived.

    Args:
        broker_url: Where its messages go; ``LTQ_BROKER_URL`` or
            ``redis://localhost:6379`` by default. Nothing is connected yet.
        poll_interval: The longest time between looks at the store's clock, in seconds.

    Raises:
        OptionValueError: *poll_interval* is not more than 0.
    """

    def __init__(self, broker_url: str | None = None, poll_interval: float = 10.0) -> None:
        if not 0 < poll_interval < float("inf"):
            raise OptionValueError(
                f"poll_interval must be more than 0 seconds, not {poll_interval!r}."
            )
        self.poll_interval = poll_interval
        self._broker_url = broker_url
        self._jobs: dict[str, Job] = {}
        self._own_broker: Broker | None = None
        self._state = threading.Lock()
        self._stopping = False
        self._life: Life | None = None

    def __repr__(self) -> str:
        return f"<Scheduler: {len(self._jobs)} jobs>"

    @property
    def jobs(self) -> tuple[Job, ...]:
        """What was declared, in that order."""
        return tuple(self._jobs.values())

    @cached_property
    def broker(self) -> Broker:
        """The broker, made at its first use; assign another one before that.

        One that was assigned is left open at the end.

        Raises:
            UnknownSchemeError: No installed plugin offers the URL's scheme.
        """
        self._own_broker = Broker.from_url(self.broker_url)
        return self._own_broker

    @property
    def broker_url(self) -> str:
        """The URL of its broker, password included: show it only through ``redact``."""
        return broker_url_of(self._broker_url)

    def cron(
        self,
        expr: str,
        message: Message,
        *,
        timezone: str | ZoneInfo | None = None,
        name: str | None = None,
        missed: Missed = "latest",
    ) -> Job:
        """Send a copy of *message* whenever *expr* fires; see `Schedule`.

        Args:
            expr: A cron line of five fields, or of six with seconds last.
            message: What to send, made by ``task.message(…)``. Each tick is a new
                message, with its own id and the tick in ``ctx["scheduled_for"]``.
            timezone: The zone of the cron line; UTC without one.
            name: The job's identity; without one that is task, rule and arguments
                together. A job that keeps its name keeps its past when it changes.
            missed: Of the ticks that fell due while no scheduler lived, send the
                ``"latest"`` if it is younger than a day, ``"all"`` (the latest 1,000),
                or none: ``"skip"``. A job that was never sent begins with its next tick.

        Returns:
            The job.

        Raises:
            OptionValueError: The line is malformed or never fires, or another value
                makes no sense.
            ConfigurationError: Another job has the same identity, or the scheduler
                runs already.
            EncodeError: The message cannot be stored.
        """
        return self._add(CronJob(Schedule(expr, timezone), message, name, missed))

    def every(
        self,
        interval: timedelta,
        message: Message,
        *,
        name: str | None = None,
        missed: Missed = "latest",
    ) -> Job:
        """Send a copy of *message* at each multiple of *interval* since the Unix epoch.

        So all schedulers agree on the ticks, whenever they started.

        Args:
            interval: More than nothing.
            message, name, missed: As in `cron`; so are result and errors.
        """
        return self._add(EveryJob(interval, message, name, missed))

    def at(self, when: datetime, message: Message, *, name: str | None = None) -> Job:
        """Send *message* once, at *when*, or at once if that has passed.

        The store remembers that this identity was sent, for as long as it keeps a last
        tick, so neither a restart nor another *when* sends it again.

        Args:
            when: An aware datetime; a naive one is an `OptionValueError`.
            message, name: As in `cron`; so are result and errors.
        """
        return self._add(AtJob(when, message, name))

    def start(self) -> None:
        """Run until `request_stop`, `stop` or Ctrl-C; blocks.

        Raises:
            RuntimeError: An event loop is running in this thread.
            ConfigurationError: As in `run`.
        """
        if asyncio._get_running_loop() is not None:
            raise RuntimeError("An event loop is running here: use start_background().")
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(self.run())

    def start_background(self) -> asyncio.Task[None]:
        """Run as a task of the running event loop, until `stop`.

        Returns:
            The task. The scheduler keeps it; a failure is also logged.

        Raises:
            RuntimeError: No event loop is running, or the scheduler runs already.
            ConfigurationError: As in `run`.
        """
        task = self._begin(None)
        task.add_done_callback(_log_failure)
        return task

    async def run(self, *, connect_timeout: float | None = None) -> None:
        """Send messages until `stop` or `request_stop`.

        A broker that is away is waited for, with a warning line an attempt.

        Args:
            connect_timeout: Seconds to wait for a broker that is away at the start;
                None waits for ever.

        Raises:
            RuntimeError: It runs already.
            ConfigurationError: There is no job, or the broker cannot publish ticks.
            BrokerUnavailableError: The broker stayed away for *connect_timeout*.

        Cancellation:
            As `stop`.
        """
        await self._begin(connect_timeout)

    def request_stop(self) -> None:
        """Let `run` return; does not wait for it.

        Concurrency:
            Safe from any thread and from signal handlers; before `run` it makes the
            next one return at once.
        """
        self._stopping = True
        if (life := self._running()) is not None:
            life.end()

    async def stop(self) -> None:
        """End `run`, `start` or `start_background`, and wait until it has ended.

        The next start goes on where this one ended, as *missed* says. Stopping a
        scheduler that does not run does nothing.

        Concurrency:
            Safe from any thread and event loop.
        """
        if (life := self._running()) is not None:
            life.end()
            await asyncio.wrap_future(life.ended)

    def _add(self, job: Job) -> Job:
        if self._running() is not None:
            raise ConfigurationError(f"{job} must be declared before the scheduler starts.")
        if (other := self._jobs.get(job.identity)) is not None:
            raise ConfigurationError(
                f"{job} and {other} are one and the same: give one of them another name=."
            )
        self._jobs[job.identity] = job
        return job

    def _begin(self, connect_timeout: float | None) -> asyncio.Task[None]:
        ticks = self._ticks()
        with self._state:
            if self._running() is not None:
                raise RuntimeError("The scheduler is running already.")
            life = self._life = Life(ticks, self.poll_interval, connect_timeout)
        if self._stopping:
            life.end()
        task = asyncio.create_task(self._live(life), name="ltq-scheduler")
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        life, self._life = self._life, None
        self._stopping = False
        if life is not None:
            life.ended.set_result(None)

    def _running(self) -> Life | None:
        life = self._life
        return None if life is None or life.over else life

    def _ticks(self) -> Ticks:
        if not self._jobs:
            raise ConfigurationError("The scheduler has no job: declare one with cron().")
        if not isinstance(self.broker, Ticks):
            raise ConfigurationError(
                f"A scheduler needs a broker with the ability Ticks (publish_tick, last_tick"
                f" and time), which {type(self.broker).__name__} lacks."
            )
        return self.broker

    async def _live(self, life: Life) -> None:
        try:
            await life.run(self.jobs)
        finally:
            await self._close_broker()

    async def _close_broker(self) -> None:
        if self._own_broker is None or self._own_broker is not self.broker:
            return
        try:
            await self.broker.close()
        except BrokerUnavailableError as error:
            log.warning("The broker was away when the scheduler ended: %s", describe(error))


def _log_failure(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("The scheduler ended: %s", describe(error), exc_info=error)
