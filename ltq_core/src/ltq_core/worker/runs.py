"""`Runs`: the messages that a worker is running, and how each one ends."""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from contextvars import Context, copy_context
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from ltq_core.clock import now
from ltq_core.errors import DecodeError
from ltq_core.logger import get_logger
from ltq_core.worker.current import running
from ltq_core.worker.outcome import Dead, decide

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from ltq_core.message import Message
    from ltq_core.task import Task
    from ltq_core.worker.settle import Settler
    from ltq_core.worker.stack import Call

log = get_logger("worker")
DEFAULT_MAX_CRASHES = 5


class Entry:
    """What running one task takes, looked up once at start."""

    __slots__ = ("call", "load", "max_crashes", "timeout")

    def __init__(self, task: Task[Any, Any], call: Call) -> None:
        self.call = call
        self.load = task.arguments.load
        self.timeout: float | None = task.options.get("timeout")
        self.max_crashes: int = task.options.get("max_crashes", DEFAULT_MAX_CRASHES)


class Run(msgspec.Struct, eq=False):
    """One run of one message; *ctx* is as it came, in case the run is given back."""

    entry: Entry
    message: Message
    ctx: dict[str, Any]
    deadline: datetime | None = None
    given_back: bool = False
    task: asyncio.Task[None] | None = None


class Runs:
    """Starts runs, up to *concurrency* at once, and hands their ends to the settler."""

    def __init__(
        self, entries: Mapping[str, Entry], concurrency: int, settler: Settler
    ) -> None:
        self.active: set[Run] = set()
        self.overdue: set[asyncio.Future[Any]] = set()
        self._entries = entries
        self._concurrency = concurrency
        self._settler = settler
        self._loop = asyncio.get_running_loop()
        self._worker = asyncio.current_task()
        # A program that was told to end may work off its queues in that very Task.
        self._cancelled = 0 if self._worker is None else self._worker.cancelling()
        self._spawn = _spawner(self._loop)
        self._waiter: asyncio.Future[None] | None = None

    @property
    def free(self) -> int:
        """How many runs may still be started."""
        return self._concurrency - len(self.active) - len(self.overdue)

    def start_all(self, messages: Iterable[Message]) -> None:
        """Run *messages*, begun in their order.

        Those that end without ever waiting share one asyncio Task, since to make one is
        most of what a short run costs. Where one waits, or leaves something behind in that
        Task, those after it get one each.
        """
        runs = deque(filter(None, map(self._admit, messages)))
        if runs:
            self._spawn(self._run_all(runs))
        if len(runs) > 1:
            self._loop.call_soon(self._spread, runs)  # right after the Task's first step

    def _spread(self, runs: deque[Run]) -> None:
        while runs:
            self._spawn(self._run_all(deque((runs.popleft(),))))

    def _admit(self, message: Message) -> Run | None:
        """The run of *message*; None, and it is given up, if it cannot or must not be run."""
        entry = self._entries.get(message.task_name)
        delivery = message.delivery
        if entry is None:
            self._settler.failed(message, Dead("unknown_task", None, "no such task here"))
            return None
        deadline = None
        if delivery is not None and delivery.crashes >= entry.max_crashes:
            text = f"its worker died {delivery.crashes} times while running it"
            self._settler.failed(message, Dead("crashed", None, text))
            return None
        if entry.timeout is not None:
            deadline = datetime.fromtimestamp(now(), UTC) + timedelta(seconds=entry.timeout)
        run = Run(entry, message, message.ctx.copy(), deadline)
        if delivery is not None and "due_at" not in message.ctx:
            message.ctx["due_at"] = delivery.due_at
        self.active.add(run)
        return run

    async def changed(self) -> None:
        """Wait until some run has ended."""
        if self._waiter is None:
            self._waiter = self._loop.create_future()
        await asyncio.shield(self._waiter)

    def occupy(self, call: asyncio.Future[Any], name: str) -> None:
        """Keep a slot taken for a timed-out *call* that cannot be stopped."""
        log.warning(
            "%s timed out, but cannot be stopped; its slot stays taken until it ends", name
        )
        self.overdue.add(call)
        call.add_done_callback(self._vacate)

    def _vacate(self, call: asyncio.Future[Any]) -> None:
        self.overdue.discard(call)
        if not call.cancelled():
            call.exception()  # it was settled as timed out: nobody else will ask
        self._wake()

    async def _run_all(self, runs: deque[Run]) -> None:
        task, before = asyncio.current_task(), copy_context()
        while runs:
            run = runs.popleft()
            run.task = task
            if run.given_back:
                self._end(run)
                continue
            token = running.set(run)
            try:
                await self._run(run)
            except GeneratorExit:
                return  # a run that waited was thrown it and has ended; Python repeats it here
            if runs:  # so it never waited
                running.reset(token)
                if _left_something(task, before):
                    return

    async def _run(self, run: Run) -> None:
        # Nothing is awaited after the call has ended, whatever it raised: GeneratorExit
        # and a cancellation by the task itself must not meet another await.
        entry, message = run.entry, run.message
        try:
            args, kwargs = entry.load(message.args, message.kwargs)
        except DecodeError as error:
            self._end(run)
            self._settler.failed(message, Dead("undecodable", error))
            return
        try:
            await entry.call(message, args, kwargs)
        except BaseException as error:
            if type(error) is asyncio.CancelledError and self._leaving():
                run.given_back = True  # but still active: the engine returns what it cuts
                return
            self._end(run)
            if not run.given_back:
                self._settler.failed(message, decide(error), run.ctx)
        else:
            self._end(run)
            if not run.given_back:
                self._settler.done(message)

    def _leaving(self) -> bool:
        # Programs that stop cancel all the Tasks of their loop, the runs beside the worker.
        return self._worker is not None and self._worker.cancelling() > self._cancelled

    def _end(self, run: Run) -> None:
        self.active.discard(run)
        if self._waiter is not None:
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        self._waiter = None


def _spawner(
    loop: asyncio.AbstractEventLoop,
) -> Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]:
    # What create_task does, without its checks and names: a sixth of a run without work.
    if isinstance(loop, asyncio.BaseEventLoop) and loop.get_task_factory() is None:
        return functools.partial(asyncio.Task, loop=loop)
    return loop.create_task


def _left_something(task: asyncio.Task[Any] | None, before: Context) -> bool:
    """Whether a run left behind, in its *task*, what the next one must not meet."""
    try:
        return task is None or task.cancelling() > 0 or copy_context() != before
    except Exception:  # a value of the run's own refuses to be compared
        return True
