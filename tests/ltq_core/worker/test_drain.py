"""Stopping: finish what runs, give the rest back untouched."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from ltq_core.worker import current_message
from working import make_worker, until

if TYPE_CHECKING:
    from ltq_core.worker import Worker


async def waiting(worker: Worker) -> list[Any]:
    broker: Any = worker.broker
    return [m for queue in worker.tasks for m in await broker.peek(queue)]


def test_running_task_is_finished():
    worker = make_worker()
    events: list[str] = []

    @worker.task
    async def task() -> None:
        events.append("start")
        worker.stop()
        await asyncio.sleep(0.1)
        events.append("end")

    async def run() -> int:
        await task.send()
        await asyncio.wait_for(worker.run(), 10)
        return await worker.broker.size(task.name)

    assert asyncio.run(run()) == 0
    assert events == ["start", "end"]


def test_nothing_is_claimed_after_stop():
    worker = make_worker(concurrency=1)
    runs: list[int] = []

    @worker.task
    async def task(number: int) -> None:
        runs.append(number)
        worker.stop()

    async def run() -> int:
        for number in range(5):
            await task.send(number)
        await asyncio.wait_for(worker.run(), 10)
        return await worker.broker.size(task.name)

    assert asyncio.run(run()) == 4
    assert runs == [0]


@pytest.mark.parametrize("plain", [False, True])
def test_task_that_outlasts_the_grace_time_goes_back_untouched(
    plain: bool, caplog: pytest.LogCaptureFixture
):
    worker = make_worker()
    gate = threading.Event()

    def meddle() -> None:
        current_message().message.args[0].append(3)
        current_message().ctx["tries"] = 99

    async def sleeps(numbers: list[Any]) -> None:
        meddle()
        worker.stop()
        await asyncio.sleep(60)

    def blocks(numbers: list[Any]) -> None:
        meddle()
        worker.stop()
        gate.wait(60)

    task: Any = worker.task(blocks if plain else sleeps)

    async def run() -> tuple[Any, list[Any]]:
        message = task.message([1, 2])
        await worker.broker.publish(message)
        await asyncio.wait_for(worker.run(shutdown_timeout=0.1), 10)
        return message, await waiting(worker)

    sent, left = asyncio.run(run())
    gate.set()

    assert left == [sent]
    assert caplog.messages[-1] == "The grace time is over: giving back 1 running task"


def test_task_that_swallows_its_cancellation_does_not_delay_the_exit():
    worker = make_worker()

    @worker.task
    async def stubborn() -> None:
        worker.stop()
        for _ in range(100):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                continue

    async def run() -> int:
        await stubborn.send()
        await asyncio.wait_for(worker.run(shutdown_timeout=0.1), 10)
        left = await worker.broker.size(stubborn.name)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            while not task.done():
                task.cancel()
                await asyncio.sleep(0)
        return left

    assert asyncio.run(run()) == 1


def test_cancelled_run_gives_everything_back():
    worker = make_worker()
    started = asyncio.Event()

    @worker.task
    async def task() -> None:
        started.set()
        await asyncio.sleep(60)

    async def run() -> int:
        await task.send()
        call = asyncio.create_task(worker.run())
        await asyncio.wait_for(started.wait(), 10)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        return await worker.broker.size(task.name)

    assert asyncio.run(run()) == 1


def test_worker_whose_runs_are_cancelled_with_it_gives_everything_back():
    worker = make_worker()
    started: list[int] = []

    @worker.task
    async def waits(number: int) -> None:
        started.append(number)
        await asyncio.sleep(60)

    @worker.task(timeout=60)
    async def is_bounded(number: int) -> None:
        started.append(number)
        await asyncio.sleep(60)

    async def run() -> tuple[int, list[Any]]:
        for task in (waits, is_bounded):
            await task.send_many([task.message(number) for number in range(3)])
        call = asyncio.create_task(worker.run())
        await until(lambda: len(started) == 6, "all to start")
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        broker: Any = worker.broker
        return len(await waiting(worker)), await broker.dead_letters(waits.name)

    assert asyncio.run(run()) == (6, [])


def test_run_that_is_cancelled_fails_though_the_program_is_told_to_end():
    worker = make_worker()

    @worker.task
    async def task() -> None:
        raise asyncio.CancelledError

    async def works_off_what_is_left() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await worker.run()

    async def run() -> list[Any]:
        await task.send()
        program = asyncio.create_task(works_off_what_is_left())
        await asyncio.sleep(0)
        program.cancel()
        broker: Any = worker.broker
        await until(lambda: broker.dead_letters(task.name), "the run to fail")
        worker.stop()
        await program
        return await waiting(worker)

    assert asyncio.run(run()) == []


def test_worker_that_is_cancelled_before_a_run_begins_gives_it_back():
    worker = make_worker()

    @worker.task
    async def task() -> None: ...

    async def run() -> int:
        call = asyncio.create_task(worker.run())
        await until(lambda: worker._engine is not None, "the worker to start")
        await task.send()
        while not worker._engine.runs.active:  # noqa: ASYNC110 (the very turn of the loop)
            await asyncio.sleep(0)
        for one in asyncio.all_tasks() - {asyncio.current_task()}:
            one.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        return await worker.broker.size(task.name)

    assert asyncio.run(run()) == 1


def test_give_back_works_from_another_loop_while_the_own_one_is_blocked():
    worker = make_worker()
    blocked, gate = threading.Event(), threading.Event()

    @worker.task
    async def blocks() -> None:
        blocked.set()
        gate.wait(20)

    async def send() -> None:
        await blocks.send()

    asyncio.run(send())
    thread = threading.Thread(target=lambda: asyncio.run(worker.run(shutdown_timeout=0.1)))
    thread.start()
    assert blocked.wait(10)

    async def rescue() -> tuple[int, int]:
        returned = await worker.give_back()
        return returned, await worker.broker.size(blocks.name)

    assert asyncio.run(rescue()) == (1, 1)
    worker.stop()
    gate.set()
    thread.join(20)


def test_stop_is_heard_while_the_worker_waits_for_work():
    worker = make_worker()
    worker.task(lambda: None)

    async def run() -> None:
        call = asyncio.create_task(worker.run())
        await until(lambda: worker._engine is not None, "the start")
        await asyncio.to_thread(worker.stop)
        await asyncio.wait_for(call, 10)

    asyncio.run(run())
