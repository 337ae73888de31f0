"""What a run finds in its message, what it may do to it, and which message is not run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ltq_core.errors import RetryError
from ltq_core.lifeline import keepers_of
from ltq_core.message import Message
from ltq_core.worker import current_message
from working import drained, letters, make_worker, running, until, work

if TYPE_CHECKING:
    from ltq_core.dead_letter import DeadLetter


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
        [keeper] = keepers_of(asyncio.get_running_loop())
        keeper.suspend()
        async with running(worker):
            await until(lambda: letters(worker), "the dead letter")
            found = await letters(worker)
        keeper.resume()
        await dead.close()
        return found

    [letter] = asyncio.run(run())

    assert (letter.reason, letter.crashes, runs) == ("crashed", 1, [])
