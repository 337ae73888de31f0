"""LTQ on the virtual clock: delays, retries, limits, leases and schedules follow it."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ltq_core import DeadLetters, RetryError, Scheduler, Worker, current_message
from ltq_core.broker import Broker
from ltq_core.clock import now
from ltq_core.message import Message
from ltq_core.testing import Harness, run_virtual, virtual_time
from ltq_core.testing.virtual import START

if TYPE_CHECKING:
    from ltq_core.testing import TaskRun


def at(run: TaskRun) -> float:
    """When *run* started, in seconds after the clock did."""
    return (run.started_at - START).total_seconds()


def name(run: TaskRun) -> str:
    """The function that *run* ran."""
    return run.task.rpartition(".")[2]


@pytest.fixture
def _no_warnings_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "ltq")


@virtual_time
async def test_delayed_message_runs_to_the_second() -> None:
    worker = Worker("w")

    @worker.task
    async def task() -> None: ...

    with Harness(worker) as run:
        await task.with_options(delay=timedelta(days=3)).send()
        report = await run.drain()

    assert [at(one) for one in report.runs] == [3 * 86400]


@virtual_time
async def test_retries_wait_for_their_backoff() -> None:
    worker = Worker("w")

    @worker.task(max_tries=4, backoff=lambda tries, error: 100.0**tries)
    async def task() -> None:
        raise OSError

    with Harness(worker) as run:
        await task.send()
        report = await run.drain()

    assert [round(at(one), 3) for one in report.runs] == [0, 100, 10_100, 1_010_100]


@virtual_time
async def test_task_times_out_by_the_clock() -> None:
    worker = Worker("w")
    deadlines: list[datetime | None] = []

    @worker.task(timeout=timedelta(hours=2))
    async def task() -> None:
        deadlines.append(current_message().deadline)
        await asyncio.sleep(86400)

    with Harness(worker) as run:
        await task.send()
        [one] = (await run.drain()).runs

    assert isinstance(one.error, TimeoutError)
    assert one.finished_at - one.started_at == timedelta(hours=2)
    assert deadlines == [START + timedelta(hours=2)]


@virtual_time
async def test_rate_limit_spaces_starts_by_the_clock() -> None:
    worker = Worker("w")

    @worker.task(max_rate="6/h")
    async def task() -> None: ...

    with Harness(worker) as run:
        await task.send_many([task.message() for _ in range(5)])
        report = await run.drain()

    assert [round(at(one), 2) for one in report.runs] == [0, 600, 1200, 1800, 2400]


@virtual_time
async def test_message_that_is_too_old_expires_by_the_clock() -> None:
    worker = Worker("w")

    @worker.task(max_age=timedelta(days=1))
    async def task() -> None: ...

    with Harness(worker) as run:
        await task.send()
        await asyncio.sleep(86401)
        [letter] = (await run.drain()).dead

    assert letter.reason == "expired"
    assert letter.created_at == START.timestamp()
    assert letter.died_at == START.timestamp() + 86401


@virtual_time
async def test_lease_of_a_worker_that_runs_for_a_week_is_kept() -> None:
    worker = Worker("w")

    @worker.task
    async def task() -> None:
        await asyncio.sleep(7 * 86400)

    with Harness(worker, lease=300) as run:
        await task.send()
        report = await run.drain()

    assert report.outcomes == ["done"]


@virtual_time
async def test_lease_of_a_broker_that_is_dropped_ends_by_the_clock() -> None:
    gone, heir = (Broker.from_url("memory://dropped?lease=30") for _ in range(2))
    await gone.publish(Message(task_name="w:task"))
    message = await gone.consume("w:task")
    del gone

    again = await heir.consume("w:task")

    assert again == message
    assert asyncio.get_running_loop().time() == 30
    await heir.ack(again)
    await heir.close()


@virtual_time
async def test_plain_task_holds_the_clock_still() -> None:
    worker = Worker("w")
    go_on = threading.Event()

    @worker.task
    def plain() -> None:
        go_on.wait()

    @worker.task
    async def sleeper() -> None:
        await asyncio.sleep(60)

    with Harness(worker) as run:
        await plain.send()
        await sleeper.send()
        threading.Timer(0.05, go_on.set).start()
        first, second = (await run.drain()).runs

    assert (name(first), first.finished_at) == ("plain", START)
    assert (name(second), second.finished_at) == ("sleeper", START + timedelta(minutes=1))


@virtual_time
async def test_what_a_plain_task_sends_is_due_by_the_clock() -> None:
    worker = Worker("w")

    @worker.task
    def plain() -> None:
        task.with_options(delay=3600).send_sync()

    @worker.task
    async def task() -> None: ...

    with Harness(worker) as run:
        await plain.send()
        report = await run.drain()

    assert [name(one) for one in report.runs] == ["plain", "task"]
    assert at(report.runs[1]) == 3600
    created_at = report.sent[0].message.ctx["created_at"]  # type: ignore[union-attr]
    assert created_at == START.timestamp()


@virtual_time
async def test_dead_letters_expire_by_the_clock() -> None:
    broker = Broker.from_url("memory://letters?dead_letter_age=3600")
    assert isinstance(broker, DeadLetters)
    worker = Worker("w")
    worker.broker = broker

    @worker.task
    async def task() -> None:
        worker.stop()
        raise ValueError

    await task.send()
    await worker.run()
    before = await broker.dead_letters(task.name)
    await asyncio.sleep(3601)

    assert [letter.died_at for letter in before] == [START.timestamp()]
    assert await broker.dead_letters(task.name) == []


@pytest.mark.usefixtures("_no_warnings_logged")
def test_week_of_ticks_delays_and_retries_passes_in_seconds() -> None:
    started = time.process_time()

    runs = run_virtual(busy_time(timedelta(days=7)))

    ticks = [at(one) for one in runs if name(one) == "digest" and one.attempt == 1]
    assert ticks == [300 * n for n in range(1, 7 * 288 + 1)]
    assert sum(name(one) == "reminder" and one.outcome == "done" for one in runs) > 1000
    assert max(one.attempt for one in runs) > 2
    assert time.process_time() - started < 10  # of CPU; about 1.5 on a quiet machine


@pytest.mark.usefixtures("_no_warnings_logged")
def test_two_runs_take_the_same_course() -> None:
    first, second = (run_virtual(busy_time(timedelta(days=2))) for _ in range(2))

    assert trace(first) == trace(second)


@pytest.mark.usefixtures("_no_warnings_logged")
def test_another_seed_takes_another_course() -> None:
    first, second = (run_virtual(busy_time(timedelta(days=2)), seed=n) for n in range(2))

    assert trace(first) != trace(second)


async def busy_time(duration: timedelta) -> list[TaskRun]:
    """Flaky runs every five minutes, each with a flaky reminder a day later."""
    worker = Worker("w")

    @worker.task(max_tries=5)
    async def digest() -> None:
        await asyncio.sleep(random.uniform(0, 2))
        if random.random() < 0.2:
            raise OSError
        await reminder.with_options(delay=timedelta(days=1)).send(now())

    @worker.task(max_rate="100/s")
    async def reminder(at: float) -> None:
        if random.random() < 0.1:
            raise RetryError(delay=60)

    scheduler = Scheduler()
    scheduler.cron("*/5 * * * *", digest.message())
    with Harness(worker, scheduler) as run:
        return (await run.run_for(duration)).runs


def trace(runs: list[TaskRun]) -> list[tuple[object, ...]]:
    """All of *runs* but what is drawn from the system's chance: the ids."""
    return [
        (one.task, one.args, one.attempt, one.outcome, one.started_at, one.finished_at)
        for one in runs
    ]


@virtual_time(start=datetime(2027, 3, 27, 12, tzinfo=UTC), limit=timedelta(days=3))
async def test_schedule_meets_the_change_to_summer_time() -> None:
    worker, scheduler = Worker("w"), Scheduler()

    @worker.task
    async def task() -> None: ...

    scheduler.cron("0 9 * * *", task.message(), timezone="Europe/Berlin")

    with Harness(worker, scheduler) as run:
        report = await run.run_for(timedelta(days=2))

    hours = [one.started_at.hour for one in report.runs]
    assert hours == [7, 7]  # in UTC; it was 8 the day before
