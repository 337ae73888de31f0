"""How many runs there are at once, in which threads, and for how long."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ltq_core.worker import current_message
from working import letters, make_worker, running, until, work

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ltq_core.message import Message


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
