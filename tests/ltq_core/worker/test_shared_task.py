"""Runs that end without waiting share an asyncio Task: none may notice the others."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest

from ltq_core.worker import Worker, current_message
from working import make_worker, running, until

if TYPE_CHECKING:
    from ltq_core.task import Task

mark: ContextVar[Any] = ContextVar("mark", default="unset")


class Sour:
    """What refuses to be compared."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise TypeError("not comparable")


async def run_together(
    worker: Worker, task: Task[Any, Any], ended: list[Any], count: int
) -> None:
    """Let one claim bring *count* messages, and wait until as many runs have *ended*."""
    await task.send_many([task.message(number) for number in range(count)])
    async with running(worker):
        await until(lambda: len(ended) >= count, "all runs have ended")


def test_runs_that_do_not_wait_share_a_task():
    worker, tasks = make_worker(), list[Any]()

    @worker.task
    async def quick(number: int) -> None:
        tasks.append(asyncio.current_task())

    asyncio.run(run_together(worker, quick, tasks, 10))

    assert len(set(tasks)) == 1


def test_run_that_waits_holds_up_none_behind_it():
    worker, begun = make_worker(), list[int]()

    @worker.task
    async def meets_the_others(number: int) -> None:
        begun.append(number)
        await until(lambda: len(begun) == 10, "all have begun")

    asyncio.run(run_together(worker, meets_the_others, begun, 10))

    assert begun == list(range(10))


@pytest.mark.parametrize("value", ["set", Sour()])
def test_variables_that_a_run_sets_are_unknown_to_the_next(value: Any):
    worker, seen = make_worker(), list[Any]()

    @worker.task
    async def sets(number: int) -> None:
        seen.append(mark.get())
        mark.set(value)

    asyncio.run(run_together(worker, sets, seen, 10))

    assert seen == ["unset"] * 10


def test_variables_that_a_run_sets_and_resets_cost_no_task():
    worker, tasks = make_worker(), list[Any]()

    @worker.task
    async def resets(number: int) -> None:
        token = mark.set(number)
        tasks.append(asyncio.current_task())
        mark.reset(token)

    asyncio.run(run_together(worker, resets, tasks, 10))

    assert len(set(tasks)) == 1


def test_run_that_cancels_itself_cancels_no_other():
    worker, ended = make_worker(), list[int]()

    @worker.task
    async def cancels(number: int) -> None:
        if number:
            await asyncio.sleep(0)
        run = asyncio.current_task()
        assert run is not None
        run.cancel()
        ended.append(number)

    asyncio.run(run_together(worker, cancels, ended, 10))

    assert sorted(ended) == list(range(10))


def test_each_run_knows_its_own_message_also_in_what_it_leaves_running():
    worker, ids, later = make_worker(), list[str](), list[str]()

    @worker.task
    async def leaves(number: int) -> None:
        async def after() -> None:
            later.append(current_message().id)

        ids.append(current_message().id)
        background.append(asyncio.ensure_future(after()))

    background: list[asyncio.Future[None]] = []
    asyncio.run(run_together(worker, leaves, later, 10))

    assert len(set(ids)) == 10
    assert later == ids


def test_failed_run_fails_alone():
    worker, ended = make_worker(), list[int]()

    @worker.task
    async def fails(number: int) -> None:
        ended.append(number)
        if number % 2:
            raise SystemExit(number)

    async def run() -> None:
        broker: Any = worker.broker
        await fails.send_many([fails.message(number) for number in range(10)])
        async with running(worker):
            await until(lambda: odd_ones_are_dead(broker), "the odd ones are dead letters")

    async def odd_ones_are_dead(broker: Any) -> bool:
        found = await broker.dead_letters(fails.name)
        return sorted(one.message.args[0] for one in found) == [1, 3, 5, 7, 9]

    asyncio.run(run())
    assert ended == list(range(10))


def test_runs_given_back_while_one_before_them_blocks_never_begin():
    worker, begun = make_worker(), list[int]()
    blocked, gate = threading.Event(), threading.Event()

    @worker.task
    async def blocks(number: int) -> None:
        begun.append(number)
        blocked.set()
        gate.wait(20)

    async def send() -> None:
        await blocks.send_many([blocks.message(number) for number in range(3)])

    asyncio.run(send())
    thread = threading.Thread(target=lambda: asyncio.run(worker.run(shutdown_timeout=0.1)))
    thread.start()
    assert blocked.wait(10)
    assert asyncio.run(worker.give_back()) == 3
    gate.set()
    asyncio.run(until(lambda: len(begun) >= 4, "what was given back was claimed again"))
    worker.stop()
    thread.join(20)

    assert begun == [0, 0, 1, 2]
