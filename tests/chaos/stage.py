"""What a scenario plays on: its Redis, its workers, its messages, and the count."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from typing import TYPE_CHECKING, Any, TypeVar

import logbook
import tasks
from processes import LTQ, Keeper, Process
from report import some
from store import Store
from tally import Tally
from waiting import StuckError, until

from ltq_core import BrokerUnavailableError
from redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence
    from pathlib import Path

    from report import Report

    import ltq

T = TypeVar("T")

LEASE = 3.0
"""The lease of every scenario in seconds: the least that LTQ allows."""

UNSETTLED = "could not be settled"
"""What a worker logs of a message that it can neither settle nor give up."""

LOST = "was lost"
"""What a worker logs when a lease ended while it lived."""

# Errors that nobody handled, and what must not happen but in certain scenarios.
FORBIDDEN = ("never retrieved", "was never awaited", UNSETTLED, LOST)


class Stage:
    """One scenario's surroundings.

    Args:
        folder: Where all that is written goes.
        report: What is printed in the end.
        short: Whether sizes are those of the short set.

    Attributes:
        server: The Redis, once `redis` was called.
        store: What stands in it.
        accepted: The keys of the messages that the broker accepted.
        forbidden: What must not stand in the log of any process.
        refused: The keys of those whose send failed: they may run or not.
    """

    server: RedisServer
    store: Store

    def __init__(self, folder: Path, report: Report, *, short: bool) -> None:
        self.folder = folder
        self.report = report
        self.tally = Tally(folder / logbook.LOG)
        self.accepted: list[str] = []
        self.refused: list[str] = []
        self.processes: list[Process] = []
        self.forbidden = list(FORBIDDEN)
        self._short = short
        self._serial = itertools.count()
        self._producer: ltq.Worker | None = None
        self._prefix = f"{os.urandom(2).hex()}-"

    def size(self, full: T, short: T) -> T:
        """*full*, or *short* in the short set."""
        return short if self._short else full

    def allow(self, words: str) -> None:
        """Let *words* stand in the logs of this scenario's processes."""
        self.forbidden.remove(words)

    async def redis(self, *, start: bool = True, **options: object) -> RedisServer:
        """The scenario's own Redis, with these settings."""
        self.server = RedisServer(**options)
        self.store = Store(self.server)
        if start:
            await asyncio.to_thread(self.server.start)
        return self.server

    @property
    def url(self) -> str:
        """The broker's URL."""
        return f"{self.server.url}?lease={LEASE:g}"

    def run(
        self,
        target: str = "tasks:worker",
        *options: str,
        mortal: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Process:
        """Start ``ltq run target``; a *mortal* one may end by itself."""
        command: list[str | Path] = [LTQ, "run", target, *options]
        return self.process(command, mortal=mortal, environment=environment)

    def process(
        self,
        command: Sequence[str | Path],
        *,
        mortal: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Process:
        """Start a process that knows the broker and the log."""
        log = self.folder / f"process-{len(self.processes) + 1}.log"
        known = {"LTQ_BROKER_URL": self.url, logbook.FOLDER: str(self.folder)}
        process = Process(command, log, known | dict(environment or {}), mortal=mortal)
        self.processes.append(process)
        return process

    def keep(self, size: int, *options: str, mortal: bool = False) -> Keeper:
        """Workers that are started again when they end."""
        return Keeper(lambda: self.run("tasks:worker", *options, mortal=mortal), size)

    @property
    def tasks(self) -> dict[str, ltq.Task[Any, Any]]:
        """The tasks, to be sent from here."""
        if self._producer is None:
            self._producer = tasks.make_worker(self.url)
        return {name.partition(":")[2]: task for name, task in self._producer.tasks.items()}

    def new_keys(self, count: int) -> list[str]:
        """Keys that no message has yet."""
        return [f"{self._prefix}{next(self._serial):06d}" for _ in range(count)]

    async def send(self, count: int, *steps: str, task: str = "act") -> list[str]:
        """Send *count* messages in bulk that do *steps*; their keys."""
        sender, keys = self.tasks[task], self.new_keys(count)
        await sender.send_many([sender.message(key, list(steps)) for key in keys])
        self.accepted += keys
        return keys

    async def send_one(self, key: str, *steps: str, task: str = "act") -> None:
        """Send one message, and note whether it was accepted."""
        try:
            await self.tasks[task].send(key, list(steps))
        except BrokerUnavailableError:
            self.refused.append(key)
        else:
            self.accepted.append(key)

    async def feed(self, count: int, seconds: float, *plans: Sequence[str] | str) -> None:
        """Send *count* messages one by one, evenly over *seconds*, each plan in turn."""
        began, sends = time.monotonic(), []
        for number, key in enumerate(self.new_keys(count)):
            await asyncio.sleep(began + seconds * number / count - time.monotonic())
            plan = plans[number % len(plans)]
            steps = [plan] if isinstance(plan, str) else plan
            sends.append(asyncio.create_task(self.send_one(key, *steps)))
        await asyncio.gather(*sends)

    async def until_started(self, keys: Sequence[str], times: int = 1) -> float:
        """Wait until all *keys* were started so often; when that was."""
        what = f"{len(keys)} messages have started, {times} times"
        return await until(lambda: self.tally.started(keys, times), 30, what)

    async def until_ended(self, keys: Sequence[str] | None = None, timeout: float = 60) -> None:
        """Wait until all *keys*, or all that was accepted, have ended."""
        wanted = self.accepted if keys is None else keys
        await until(lambda: self.tally.ended(wanted), timeout, f"{len(wanted)} messages end")

    async def until_logged(self, process: Process, words: str) -> float:
        """Wait until *process* has printed *words*; when that was."""
        return await until(lambda: process.printed(words), 15, f"'{words}' is printed")

    async def until_start_after(self, moment: float, worker: Process) -> float:
        """Wait until *worker* has started something after *moment*; when that was."""

        def start() -> float | None:
            return self.tally.first_start_after(moment, worker.pid)

        await until(start, 30, f"process {worker.pid} starts something")
        return start() or 0.0

    async def finish(self, timeout: float = 60) -> None:
        """Wait until everything has ended, stop the workers cleanly, and count."""
        await self._patiently(self.until_ended(timeout=timeout))
        await self._patiently(
            until(lambda: not self.store.residue(), 5 * LEASE, "no key is left")
        )
        await self.stop_all()
        self.count()

    async def stop_all(self) -> None:
        """End all processes by SIGTERM; each must exit with 0."""
        running = [process for process in self.processes if process.code is None]
        for code in await asyncio.gather(*(process.stop() for process in running)):
            self.report.expect(code == 0, f"a process ended with code {code}, not 0")

    def count(self) -> None:
        """Count what is lost, doubled and left behind; nothing may be lost or left."""
        report = self.report
        report.sent = len(self.accepted)
        report.lost = self.tally.lost(self.accepted)
        report.doubled = self.tally.doubled()
        report.left = self.store.residue()
        report.expect(not report.lost, f"lost: {some(report.lost)}")
        report.expect(not report.left, f"left behind: {some(report.left)}")
        if self.refused:
            report.note(f"{len(self.refused)} refused")

    async def close(self) -> None:
        """End everything, and look into the logs."""
        if self._producer is not None:
            await self._patiently(self._producer.__aexit__(None, None, None))
        for process in self.processes:
            if process.code is None:
                process.kill()
            self._look_at(process)
        self.tally.close()
        if hasattr(self, "server"):
            await asyncio.to_thread(self.server.remove)

    def _look_at(self, process: Process) -> None:
        text = process.log.read_text(errors="replace")
        for words in self.forbidden:
            self.report.expect(words not in text, f"'{words}' stands in {process.log.name}")
        if not process.may_end:
            self.report.expect(False, f"{process.log.name} ended with code {process.code}")

    async def _patiently(self, call: Awaitable[object]) -> None:
        """What does not happen is counted, so the scenario goes on."""
        try:
            await call
        except StuckError as error:
            self.report.note(str(error))
