"""What becomes of messages: success, failure, retry, timeout, and how many run at once."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ltq_core.errors import DeferError, RejectError, RetryError
from ltq_core.message import Message
from ltq_core.middleware import Middleware
from ltq_core.worker import Worker, current_message
from working import make_worker, running, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from ltq_core.dead_letter import DeadLetter
    from ltq_core.task import Task


async def drained(worker: Worker) -> None:
    """Wait until nothing waits and nothing runs."""
    broker: Any = worker.broker

    async def idle() -> bool:
        stats = [await broker.stats(queue) for queue in worker.tasks]
        return not any(one.waiting or one.running for one in stats)

    await until(idle, "the queues are drained")


async def letters(worker: Worker) -> list[DeadLetter]:
    broker: Any = worker.broker
    return [letter for queue in worker.tasks for letter in await broker.dead_letters(queue)]


def work(worker: Worker, *sends: Any) -> list[DeadLetter]:
    """Send, run until drained, and return the dead letters."""

    async def run() -> list[DeadLetter]:
        async with running(worker):
            for send in sends:
                await send()
            await drained(worker)
            return await letters(worker)

    return asyncio.run(run())


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


def test_what_a_run_writes_to_ctx_is_there_in_the_next_one():
    worker = make_worker()
    pages: list[int] = []

    @worker.task
    async def task() -> None:
        ctx = current_message().ctx
        pages.append(ctx.setdefault("page", 0))
        ctx["page"] += 1
        if ctx["page"] < 3:
            raise RetryError

    assert work(worker, task.send) == []
    assert pages == [0, 1, 2]


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


def test_concurrency_bounds_the_whole_worker():
    worker = make_worker(concurrency=3)
    now, most = 0, 0

    async def body() -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1

    async def one() -> None:
        await body()

    async def two() -> None:
        await body()

    first, second = worker.task(one), worker.task(two)
    work(worker, *[first.send, second.send] * 10)

    assert most == 3


def test_plain_tasks_run_in_as_many_threads_as_the_concurrency():
    worker = make_worker(concurrency=20)
    together = threading.Barrier(20, timeout=30)
    threads: set[str] = set()

    @worker.task
    def task() -> None:
        threads.add(threading.current_thread().name)
        together.wait()

    assert work(worker, *[task.send] * 20) == []
    assert len(threads) == 20


def test_plain_task_does_not_block_the_loop():
    worker = make_worker()
    gate = threading.Event()

    @worker.task
    def blocks() -> None:
        assert gate.wait(10)

    @worker.task
    async def opens() -> None:
        gate.set()

    assert work(worker, blocks.send, opens.send) == []


def test_current_message_is_known_in_a_thread():
    worker = make_worker()
    ids: list[str] = []

    @worker.task
    def task() -> None:
        ids.append(current_message().id)

    async def run() -> str:
        async with running(worker):
            sent = await task.send()
            await drained(worker)
            return sent

    assert ids == [asyncio.run(run())]


def test_current_message_outside_a_run_is_an_error():
    with pytest.raises(RuntimeError, match="inside a running task"):
        current_message()


def test_timeout_cancels_and_counts_as_a_failed_try():
    worker = make_worker()
    cancelled: list[int] = []

    @worker.task(timeout=0.05, max_tries=2, backoff=0)
    async def task() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(1)
            raise

    [letter] = work(worker, task.send)

    assert cancelled == [1, 1]
    assert (letter.reason, letter.error_type) == ("tries_exhausted", "TimeoutError")


def test_deadline_tells_when_the_run_times_out():
    worker = make_worker()
    seen: list[datetime | None] = []

    @worker.task(timeout=timedelta(seconds=30))
    async def bounded() -> None:
        seen.append(current_message().deadline)

    @worker.task
    async def unbounded() -> None:
        seen.append(current_message().deadline)

    work(worker, bounded.send, unbounded.send)

    deadline = next(one for one in seen if one is not None)
    assert 20 < (deadline - datetime.now(UTC)).total_seconds() <= 30
    assert None in seen


def test_slot_of_a_thread_that_timed_out_stays_taken_until_it_ends(
    caplog: pytest.LogCaptureFixture,
):
    worker = make_worker(concurrency=1)
    gate = threading.Event()
    order: list[str] = []

    @worker.task(timeout=0.05)
    def stuck() -> None:
        gate.wait(10)
        order.append("stuck ended")

    @worker.task
    async def next_one() -> None:
        order.append("next")

    async def run() -> None:
        async with running(worker):
            await stuck.send()
            await until(lambda: "cannot be stopped" in caplog.text, "the timeout")
            await next_one.send()
            await until(lambda: letters(worker), "the dead letter")
            [letter] = await letters(worker)
            assert letter.error_type == "TimeoutError"
            gate.set()
            await until(lambda: "next" in order, "the next run")

    asyncio.run(run())

    assert order == ["stuck ended", "next"]


def test_max_age_rejects_what_was_due_too_long_ago():
    worker = make_worker(concurrency=1)
    runs: list[str] = []

    @worker.task(max_age=0.1)
    async def task(name: str) -> None:
        runs.append(name)
        await asyncio.sleep(0.3)

    [letter] = work(worker, lambda: task.send("first"), lambda: task.send("late"))

    assert runs == ["first"]
    assert letter.reason == "expired"


def test_max_age_counts_from_the_due_time_and_not_from_the_send():
    worker = make_worker()
    runs: list[int] = []

    @worker.task(max_age=0.2)
    async def task() -> None:
        runs.append(1)

    assert work(worker, task.with_options(delay=0.4).send) == []
    assert runs == [1]


def test_arguments_that_do_not_fit_are_a_dead_letter():
    worker = make_worker()

    @worker.task
    async def task(number: int) -> None: ...

    async def run() -> list[DeadLetter]:
        async with running(worker):
            await worker.broker.publish(Message(("seven",), {}, task.name))
            await drained(worker)
            return await letters(worker)

    [letter] = asyncio.run(run())

    assert letter.reason == "undecodable"
    assert "seven" not in letter.error


def test_message_that_crashed_its_worker_too_often_is_a_dead_letter():
    worker = make_worker()
    runs: list[int] = []

    @worker.task(max_crashes=1)
    async def task() -> None:
        runs.append(1)

    async def run() -> list[DeadLetter]:
        dead = type(worker.broker)(worker.broker_url)
        await task.send()
        await dead.consume(task.name)
        [keeper] = __import__("ltq_core.lifeline", fromlist=["x"]).keepers_of(
            asyncio.get_running_loop()
        )
        keeper.suspend()
        async with running(worker):
            await until(lambda: letters(worker), "the dead letter")
            found = await letters(worker)
        keeper.resume()
        await dead.close()
        return found

    [letter] = asyncio.run(run())

    assert (letter.reason, letter.crashes, runs) == ("crashed", 1, [])


def test_mutated_argument_does_not_change_what_is_retried():
    worker = make_worker()
    seen: list[list[int]] = []

    @worker.task(max_tries=2, backoff=0)
    async def task(numbers: list[int]) -> None:
        seen.append(list(numbers))
        numbers.append(99)
        raise ValueError

    work(worker, lambda: task.send([1]))

    assert seen == [[1], [1]]


def test_ctx_that_json_cannot_hold_does_not_lose_the_message(
    caplog: pytest.LogCaptureFixture,
):
    worker = make_worker()
    runs: list[int] = []

    @worker.task
    async def task() -> None:
        runs.append(1)
        if len(runs) == 1:
            current_message().message.ctx["bad"] = object()
            raise RetryError

    assert work(worker, task.send) == []
    assert len(runs) == 2


def test_arguments_that_json_cannot_hold_are_retried_as_they_came(
    caplog: pytest.LogCaptureFixture,
):
    worker = make_worker()
    seen: list[list[int]] = []

    @worker.task(max_tries=2, backoff=0)
    async def task(numbers: list[int]) -> None:
        seen.append(numbers)
        message = current_message().message
        message.args[0].append(object())
        message.kwargs["more"] = object()
        raise ValueError

    [letter] = work(worker, lambda: task.send([1]))

    assert seen == [[1], [1]]
    assert letter.message is not None
    assert (letter.message.args, letter.message.kwargs, letter.tries) == (([1],), {}, 2)
    assert caplog.text.count(f"{task.name} {letter.id} goes on as it came: EncodeError") == 2


def test_starts_of_one_queue_do_not_starve_another():
    worker = make_worker(concurrency=2)
    order: list[str] = []

    async def many() -> None:
        order.append("many")
        await asyncio.sleep(0.005)

    async def few() -> None:
        order.append("few")

    flood, trickle = worker.task(many), worker.task(few)
    started = time.monotonic()
    work(worker, *[flood.send] * 60, trickle.send)

    assert order.index("few") < 55, f"{time.monotonic() - started:.1f} s"


@pytest.mark.parametrize(("concurrency", "asked"), [(1, 1), (2, 2), (3, 2), (4, 2), (9, 4)])
def test_claim_asks_for_half_of_the_slots_but_for_two_where_it_can(
    monkeypatch: pytest.MonkeyPatch, concurrency: int, asked: int
):
    worker = make_worker(concurrency=concurrency)

    @worker.task
    async def task() -> None: ...

    limits: list[int] = []
    consume_many = worker.broker.consume_many

    async def noting(queues: Sequence[str], limit: int, acks: Sequence[Message]) -> Any:
        limits.append(limit)
        return await consume_many(queues, limit, acks)

    monkeypatch.setattr(worker.broker, "consume_many", noting)

    async def run() -> None:
        async with running(worker):
            await until(lambda: limits, "something is claimed")

    asyncio.run(run())

    assert limits == [asked]
