"""`Engine`: claim, run, settle, and in the end drain."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ltq_core.errors import BrokerError, BrokerUnavailableError, LeaseLostError
from ltq_core.logger import counted, describe, get_logger
from ltq_core.patience import pause
from ltq_core.worker.call import make_call
from ltq_core.worker.ctx import restore_arguments
from ltq_core.worker.runs import Entry, Run, Runs
from ltq_core.worker.settle import Settler
from ltq_core.worker.stack import compile_stack
from ltq_core.worker.threads import ThreadPool

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ltq_core.broker import Broker
    from ltq_core.message import Message
    from ltq_core.middleware import Middleware
    from ltq_core.task import Task

log = get_logger("worker")

# How long a run that is cut at the end of the grace time may take to clean up, in
# seconds. Kubernetes kills 30 s after SIGTERM, 5 s after the default grace time.
CUT_GRACE = 1.0


class Engine:
    """One worker at work, in one event loop, from its first claim to its last ack."""

    def __init__(
        self,
        name: str,
        broker: Broker,
        tasks: Mapping[str, Task[Any, Any]],
        middlewares: Sequence[Middleware],
        concurrency: int,
        *,
        shared_limits: bool,
    ) -> None:
        self._broker = broker
        self._queues = tuple(tasks)
        self._concurrency = concurrency
        self._failures = 0
        self._loop = asyncio.get_running_loop()
        self._came: list[Message] = []
        self._settler = Settler(broker, name)
        self._threads = ThreadPool(concurrency, f"ltq-{name}")
        entries: dict[str, Entry] = {}
        self.runs = Runs(entries, concurrency, self._settler)
        for task in tasks.values():
            call = make_call(task, self._threads, self.runs)
            stack = compile_stack(task, middlewares, call, shared_limits=shared_limits)
            entries[task.name] = Entry(task, stack)

    async def run(self, stop: asyncio.Event, grace: float) -> None:
        """Work until *stop* is set, then drain for up to *grace* seconds.

        Cancellation:
            What runs is given back at once.
        """
        pump = asyncio.ensure_future(self._pump(stop))
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({pump, stopping}, return_when=asyncio.FIRST_COMPLETED)
            await self._end(pump)
            await self._drain(grace)
        except asyncio.CancelledError:
            await self._end(pump)
            raise
        finally:
            stopping.cancel()
            await self._cut()
            self._settler.close()
            self._threads.close()

    async def _pump(self, stop: asyncio.Event) -> None:
        """Claim and start, until *stop* is set.

        The next claim goes out before what a full one brought is even started, so that the
        broker works meanwhile; for that a claim asks for half of the slots, but two: a
        broker may keep one for a message whose time is near, and that must not hold up the
        rest. What came alone starts at once.
        """
        runs, half = self.runs, max(2, self._concurrency // 2)
        asked = 0
        messages: list[Message] = []
        while True:
            room = runs.free - len(messages)
            self._came = messages
            if len(messages) == asked and room > 0:
                self._loop.call_soon(self._start)
            else:
                self._start()
                while runs.free <= 0:
                    await runs.changed()
                room = runs.free
            if stop.is_set():
                return
            asked = min(room, half)
            messages = await self._claim(asked)
            self._start()  # in case the claim had nothing to wait for

    def _start(self) -> None:
        """Start what came and was not started yet."""
        came, self._came = self._came, []
        self.runs.start_all(came)

    async def _claim(self, limit: int) -> list[Message]:
        """Claim up to *limit* messages; none, after a while, if the broker is away."""
        acks = self._settler.take()
        try:
            messages = await self._broker.consume_many(self._queues, limit, acks)
        except BrokerUnavailableError as error:
            self._settler.restore(acks)
            delay = pause(self._failures)
            self._failures += 1
            log.warning(
                "The broker is away; asking again in %.2f s: %s", delay, describe(error)
            )
            await asyncio.sleep(delay)
            return []
        except BaseException:
            self._settler.restore(acks)
            raise
        self._failures = 0
        self._settler.carried(acks)
        return messages

    async def _end(self, pump: asyncio.Future[None]) -> None:
        pump.cancel()
        await asyncio.wait({pump})
        if not pump.cancelled() and (error := pump.exception()) is not None:
            raise error
        try:
            await self._broker.release()
        except BrokerError as error:
            log.warning("What was claimed last returns with its lease: %s", describe(error))

    async def _drain(self, grace: float) -> None:
        if self.runs.active:
            running = counted(len(self.runs.active), "running task")
            log.info("Finishing %s, for up to %g s", running, grace)
        try:
            async with asyncio.timeout(grace):
                while self.runs.active:
                    await self.runs.changed()
                await self._settler.finish()
        except TimeoutError:
            outlasting = counted(len(self.runs.active), "running task")
            log.warning("The grace time is over: giving back %s", outlasting)

    async def _cut(self) -> None:
        """Cancel what still runs and give its messages back, untouched."""
        cut = list(self.runs.active)
        for run in cut:
            run.given_back = True
            if run.task is not None:
                run.task.cancel()
        if begun := [run.task for run in cut if run.task]:
            await asyncio.wait(begun, timeout=CUT_GRACE)
        await self.give_back(cut)

    async def give_back(self, runs: Sequence[Run]) -> None:
        """Return the messages of *runs* to their old places, as they came.

        Works from another event loop too, for a worker whose own loop is blocked.
        """
        results = await asyncio.gather(*map(self._give_back, runs), return_exceptions=True)
        for run, error in zip(runs, results, strict=True):
            if isinstance(error, BaseException):
                name, id_ = run.message.task_name, run.message.id
                log.warning("%s %s returns with its lease: %s", name, id_, describe(error))

    async def _give_back(self, run: Run) -> None:
        run.message.ctx = run.ctx
        restore_arguments(run.message)
        try:
            await self._broker.nack(run.message)
        except LeaseLostError:
            log.debug("%s %s went to another worker", run.message.task_name, run.message.id)
