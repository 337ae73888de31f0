"""What a `Harness` reports: what was sent, how each run ended, and what was given up."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ltq_core.clock import now
from ltq_core.middleware import Middleware
from ltq_core.testing.lives import current_life
from ltq_core.worker.outcome import Again, decide

if TYPE_CHECKING:
    from collections.abc import Callable

    from ltq_core.dead_letter import DeadLetter
    from ltq_core.message import Message
    from ltq_core.task import Task

Outcome = Literal["done", "retry", "deferred", "dead", "killed", "returned"]


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was sent, or that a schedule sent.

    Attributes:
        task: The task's name.
        args: Its positional arguments, as JSON values.
        kwargs: Its keyword arguments, likewise.
        delay: As it was asked for, in seconds.
        message: The message itself; no part of equality.
    """

    task: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    delay: float = 0
    message: Message | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, message: Message, delay: float = 0) -> Sent:
        """The record of *message*."""
        return cls(message.task_name, message.args, message.kwargs, delay, message)


@dataclass(frozen=True, slots=True)
class TaskRun:
    """One run of one message.

    Attributes:
        task: The task's name.
        args: Its positional arguments, as JSON values.
        kwargs: Its keyword arguments, likewise.
        id: The message's id.
        attempt: Which run it was; the first is 1.
        outcome: ``"done"``; ``"retry"`` (it failed and runs again) or ``"deferred"`` (it
            runs again, and this was no try); ``"dead"`` (given up); ``"killed"`` (a fault
            switch ended its worker) or ``"returned"`` (cut at the worker's end).
        reason: Why it is dead, one of `ltq_core.dead_letter.REASONS`; else "".
        delay: Seconds until it runs again, for a retry or a deferral; else None.
        error: What the function raised, or None.
        started_at: Aware, in UTC.
        finished_at: Likewise.
    """

    task: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    id: str
    attempt: int
    outcome: Outcome
    reason: str
    delay: float | None
    error: BaseException | None
    started_at: datetime
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class Report:
    """What happened while a `Harness` was at work.

    Attributes:
        runs: Every run, in the order in which they ended.
        sent: What was sent, by tasks or schedules or anybody else.
        dead: The dead letters of what was given up, also of what was never run.
    """

    runs: list[TaskRun] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)

    @property
    def outcomes(self) -> list[Outcome]:
        """How each run ended, in that order."""
        return [run.outcome for run in self.runs]

    def since(self, earlier: Report) -> Report:
        """What this one holds beyond *earlier*, a copy of it from before."""
        return Report(
            self.runs[len(earlier.runs) :],
            self.sent[len(earlier.sent) :],
            self.dead[len(earlier.dead) :],
        )

    def copy(self) -> Report:
        """As it is now."""
        return Report([*self.runs], [*self.sent], [*self.dead])


class Recorder(Middleware):
    """Stands outermost, and notes how each run ends.

    Args:
        runs: Where to note it.
        ended: Called whenever a run has ended.

    Attributes:
        active: How many runs are under way.
    """

    def __init__(self, runs: list[TaskRun], ended: Callable[[], None]) -> None:
        self.active = 0
        self._runs = runs
        self._ended = ended

    def __call__(
        self, message: Message, task: Task[Any, Any]
    ) -> AbstractAsyncContextManager[None]:
        """Note the end of one run."""
        return _Watch(self, message)

    def end(self, run: TaskRun) -> None:
        """Note *run*."""
        self.active -= 1
        self._runs.append(run)
        self._ended()


class _Watch(AbstractAsyncContextManager[None]):
    # A class: a generator would trip over a run that raises GeneratorExit.
    def __init__(self, recorder: Recorder, message: Message) -> None:
        self._recorder = recorder
        self._message = message
        self._attempt = message.ctx.get("tries", 0) + 1

    async def __aenter__(self) -> None:
        self._recorder.active += 1
        self._started = _utc_now()

    async def __aexit__(
        self, kind: object, error: BaseException | None, traceback: object
    ) -> None:
        message, verdict = self._message, _judge(error)
        run = TaskRun(
            message.task_name,
            message.args,
            message.kwargs,
            message.id,
            self._attempt,
            *verdict,
            self._started,
            _utc_now(),
        )
        self._recorder.end(run)


class _Verdict(NamedTuple):
    outcome: Outcome
    reason: str = ""
    delay: float | None = None
    error: BaseException | None = None


def _judge(error: BaseException | None) -> _Verdict:
    """What a run that ended with *error* comes to, by the rule that the worker goes by."""
    if error is None:
        return _Verdict("done")
    life = current_life.get()
    if isinstance(error, asyncio.CancelledError) and life.ending:
        return _Verdict("killed" if life.dead else "returned")
    decided = decide(error)
    if not isinstance(decided, Again):
        return _Verdict("dead", decided.reason, None, decided.error)
    again: Outcome = "deferred" if decided.error is None else "retry"
    return _Verdict(again, "", decided.delay, decided.error)


def _utc_now() -> datetime:
    return datetime.fromtimestamp(now(), UTC)
