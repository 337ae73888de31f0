"""What a task raises: tries, retries, rejects; and nothing of it stops the worker."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from ltq_core.errors import DeferError, RejectError, RetryError
from ltq_core.middleware import Middleware
from ltq_core.worker import current_message
from working import make_worker, work

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ltq_core.message import Message
    from ltq_core.task import Task


def test_ordinary_exception_is_retried_until_max_tries():
    worker = make_worker()
    attempts: list[int] = []

    @worker.task(max_tries=3, backoff=0)
    async def task() -> None:
        attempts.append(current_message().attempt)
        raise ValueError("no")

    [letter] = work(worker, task.send)

    assert attempts == [1, 2, 3]
    assert (letter.reason, letter.tries, letter.error_type) == (
        "tries_exhausted",
        3,
        "ValueError",
    )


@pytest.mark.parametrize("nonsense", ["two", None, -100])
def test_tries_are_counted_whatever_the_task_writes_there(nonsense: Any):
    worker = make_worker()

    @worker.task(max_tries=3, backoff=0)
    async def task() -> None:
        current_message().ctx.update(tries=nonsense, created_at=nonsense)
        raise ValueError("no")

    [letter] = work(worker, task.send)

    assert (letter.reason, letter.tries) == ("tries_exhausted", 3)
    assert isinstance(letter.created_at, float)


def test_exception_without_max_tries_drops_the_message():
    worker = make_worker()
    runs: list[int] = []

    @worker.task
    async def task() -> None:
        runs.append(1)
        raise KeyError("gone")

    [letter] = work(worker, task.send)

    assert runs == [1]
    assert (letter.reason, letter.tries) == ("failed", 1)
    assert "KeyError" in letter.traceback


def test_retry_error_runs_again_and_counts_as_a_try():
    worker = make_worker()
    seen: list[tuple[int, str | None]] = []

    @worker.task
    async def task() -> None:
        error = current_message().last_error
        seen.append((current_message().attempt, error and error.type))
        if len(seen) < 3:
            raise RetryError

    assert work(worker, task.send) == []
    assert seen == [(1, None), (2, "RetryError"), (3, "RetryError")]


def test_defer_error_runs_again_and_is_no_try():
    worker = make_worker()
    attempts: list[int] = []

    @worker.task(max_tries=2)
    async def task() -> None:
        attempts.append(current_message().attempt)
        if len(attempts) < 4:
            raise DeferError

    assert work(worker, task.send) == []
    assert attempts == [1, 1, 1, 1]


def test_reject_error_drops_for_good():
    worker = make_worker()

    @worker.task(max_tries=5)
    async def task() -> None:
        raise RejectError("no use")

    [letter] = work(worker, task.send)

    assert (letter.reason, letter.error) == ("rejected", "no use")


def test_give_up_on_wins_over_retry_on():
    worker = make_worker()
    runs: list[int] = []

    @worker.task(max_tries=5, backoff=0, retry_on=OSError, give_up_on=FileNotFoundError)
    async def task(kind: str) -> None:
        runs.append(1)
        raise FileNotFoundError if kind == "gone" else PermissionError

    work(worker, lambda: task.send("gone"))
    assert len(runs) == 1
    runs.clear()
    work(worker, lambda: task.send("busy"))
    assert len(runs) == 5


def test_backoff_callable_gets_tries_and_exception():
    worker = make_worker()
    asked: list[tuple[int, str]] = []

    def backoff(tries: int, error: BaseException) -> float:
        asked.append((tries, str(error)))
        return 0

    @worker.task(max_tries=3, backoff=backoff)
    async def task() -> None:
        raise ValueError("x")

    work(worker, task.send)

    assert asked == [(1, "x"), (2, "x")]


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even this")


def recursion() -> None:
    recursion()


class RemembersTasks(Middleware):
    """Puts the asyncio Task of each run into *tasks*."""

    def __init__(self, tasks: set[Any]) -> None:
        self._tasks = tasks

    @asynccontextmanager
    async def __call__(self, message: Message, task: Task[Any, Any]) -> AsyncIterator[None]:
        """Note it, before the run."""
        self._tasks.add(asyncio.current_task())
        yield


RAISED = [
    SystemExit(3),
    KeyboardInterrupt(),
    asyncio.CancelledError(),
    GeneratorExit(),
    StopIteration(),
    StopAsyncIteration(),
    MemoryError(),
    Unprintable(),
    BaseException("base"),
    BaseExceptionGroup("two", [ValueError(1), SystemExit(2)]),
]


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("raised", RAISED, ids=lambda raised: type(raised).__name__)
def test_nothing_that_a_task_raises_stops_the_worker(raised: BaseException, plain: bool):
    tasks: set[Any] = set()
    worker = make_worker(middlewares=[RemembersTasks(tasks)])
    after: list[int] = []

    def fails() -> None:
        raise raised

    async def fails_async() -> None:
        raise raised

    failing = worker.task(fails if plain else fails_async)

    @worker.task
    async def good() -> None:
        after.append(1)

    [letter] = work(worker, failing.send, good.send)

    assert after == [1]
    assert letter.reason == "failed"
    assert [task.exception() for task in tasks] == [None] * len(tasks)


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("raised", RAISED, ids=lambda raised: type(raised).__name__)
def test_whatever_a_task_raises_is_a_failed_try(raised: BaseException, plain: bool):
    worker = make_worker()
    attempts: list[int] = []

    def fails() -> None:
        attempts.append(current_message().attempt)
        raise raised

    async def fails_async() -> None:
        fails()

    task = worker.task(max_tries=2, backoff=0)(fails if plain else fails_async)
    [letter] = work(worker, task.send)
    tried = not isinstance(raised, GeneratorExit)

    assert attempts == ([1, 2] if tried else [1])
    assert letter.reason == ("tries_exhausted" if tried else "failed")


@pytest.mark.parametrize("timeout", [{}, {"timeout": 10}], ids=["", "timeout"])
def test_cancelled_error_of_what_a_task_awaits_is_a_failed_try(timeout: dict[str, Any]):
    worker = make_worker()

    @worker.task(max_tries=2, backoff=0, **timeout)
    async def task() -> None:
        helper = asyncio.ensure_future(asyncio.sleep(10))
        helper.cancel()
        await helper

    [letter] = work(worker, task.send)

    assert (letter.reason, letter.error_type) == ("tries_exhausted", "CancelledError")


def test_recursion_does_not_stop_the_worker():
    worker = make_worker()

    @worker.task
    async def task() -> None:
        recursion()

    [letter] = work(worker, task.send)

    assert letter.error_type == "RecursionError"


def test_task_that_cancels_itself_does_not_stop_the_worker():
    worker = make_worker()

    @worker.task
    async def task() -> None:
        run = asyncio.current_task()
        assert run is not None
        run.cancel()
        await asyncio.sleep(10)

    [letter] = work(worker, task.send)

    assert letter.error_type == "CancelledError"
