"""The harness: what it runs, what it reports, and what it leaves behind."""

from __future__ import annotations

import asyncio
import re
import threading
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from ltq_core import (
    App,
    ConfigurationError,
    DeferError,
    Message,
    Middleware,
    RejectError,
    RetryError,
    Scheduler,
    Task,
    UnknownOptionError,
    Worker,
)
from ltq_core.abilities import ABILITIES
from ltq_core.testing import Harness, Sent, VirtualClock, virtual_time
from ltq_core.testing.virtual import START

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ltq_core.middleware import Options

worker = Worker("mail", "redis://nowhere.invalid")
other = Worker("other", "redis://nowhere.invalid")


@worker.task(max_tries=2, backoff=10)
async def send(behaviour: str = "", *, copies: int = 1) -> None:
    match behaviour:
        case "fail":
            raise ValueError("no such address")
        case "retry":
            raise RetryError(delay=5)
        case "reject":
            raise RejectError("unsubscribed")
        case "cancel":
            raise asyncio.CancelledError


@worker.task
async def wait(seconds: float) -> None:
    await asyncio.sleep(seconds)


@worker.task
async def forward(behaviour: str) -> None:
    await send.with_options(delay=1).send(behaviour)


@other.task
async def count(name: str) -> None: ...


class KnowsMaxTrys(Middleware):
    options: ClassVar[Options] = {"max_trys": int}

    @asynccontextmanager
    async def __call__(self, message: Message, task: Task[Any, Any]) -> AsyncIterator[None]:
        yield


# What is sent


@virtual_time
async def test_what_is_sent_is_noted_with_arguments_and_delay() -> None:
    with Harness(worker) as run:
        await send.send("a", copies=2)
        await send.with_options(delay=timedelta(minutes=1)).send("b")
        await send.send_many([send.message("c"), send.message("d")])

        assert run.sent == [
            Sent("mail:send", ("a",), {"copies": 2}),
            Sent("mail:send", ("b",), delay=60),
            Sent("mail:send", ("c",)),
            Sent("mail:send", ("d",)),
        ]


@virtual_time
async def test_send_under_a_held_key_is_not_noted() -> None:
    with Harness(worker) as run:
        ids = [await send.with_options(unique="k").send(name) for name in ("first", "second")]

    assert [sent.args for sent in run.sent] == [("first",)]
    assert ids[0] == ids[1] == run.sent[0].message.id  # type: ignore[union-attr]


def test_synchronous_code_may_send() -> None:
    with Harness(worker) as run:
        send.send_sync("a")

    assert run.sent == [Sent("mail:send", ("a",))]


@virtual_time
async def test_nothing_runs_before_it_is_asked_to() -> None:
    with Harness(worker) as run:
        await send.send()
        await asyncio.sleep(3600)

        assert (await run.drain()).runs[0].started_at == START + timedelta(hours=1)


@virtual_time
async def test_what_tasks_send_is_noted_and_drained_too() -> None:
    with Harness(worker) as run:
        await forward.send("a")
        report = await run.drain()

    assert report.sent == [Sent("mail:send", ("a",), delay=1)]
    assert [one.task for one in report.runs] == ["mail:forward", "mail:send"]


# How runs end


@virtual_time
async def test_run_is_reported_as_done() -> None:
    with Harness(worker) as run:
        message_id = await wait.send(2.5)
        [one] = (await run.drain()).runs

    assert (one.task, one.args, one.kwargs) == ("mail:wait", (2.5,), {})
    assert (one.id, one.attempt, one.outcome) == (message_id, 1, "done")
    assert (one.reason, one.delay, one.error) == ("", None, None)
    assert one.started_at == START
    assert one.finished_at == START + timedelta(seconds=2.5)


@virtual_time
async def test_failures_are_reported_as_retries_and_in_the_end_as_dead() -> None:
    with Harness(worker) as run:
        await send.send("fail")
        report = await run.drain()

    assert report.outcomes == ["retry", "dead"]
    assert [one.attempt for one in report.runs] == [1, 2]
    assert [one.delay for one in report.runs] == [10, None]
    assert [one.reason for one in report.runs] == ["", "tries_exhausted"]
    assert all(isinstance(one.error, ValueError) for one in report.runs)
    assert [letter.reason for letter in report.dead] == ["tries_exhausted"]


@virtual_time
async def test_reject_is_reported_as_dead_with_its_reason() -> None:
    with Harness(worker) as run:
        await send.send("reject")
        report = await run.drain()

    assert report.outcomes == ["dead"]
    assert report.runs[0].reason == "rejected"
    assert report.dead[0].error == "unsubscribed"


@virtual_time
async def test_retry_that_was_asked_for_is_reported_with_its_delay() -> None:
    with Harness(worker) as run:
        await send.send("retry")
        report = await run.drain()

    assert report.outcomes == ["retry", "dead"]
    assert report.runs[0].delay == 5


@virtual_time
async def test_deferral_is_reported_and_is_no_attempt() -> None:
    class Deferring(Middleware):
        deferred = False

        @asynccontextmanager
        async def __call__(self, message: Message, task: Task[Any, Any]) -> AsyncIterator[None]:
            if not self.deferred:
                self.deferred = True
                raise DeferError(delay=7)
            yield

    deferring = Worker("deferring", middlewares=[Deferring()])
    deferring.task(send.function)

    with Harness(deferring) as run:
        await deferring.tasks["deferring:send"].send()
        report = await run.drain()

    assert report.outcomes == ["deferred", "done"]
    assert [one.attempt for one in report.runs] == [1, 1]
    assert report.runs[0].delay == 7


@virtual_time
async def test_run_that_cancels_itself_is_reported_as_dead() -> None:
    impatient = Worker("impatient", "redis://nowhere.invalid")
    impatient.task(send.function)

    with Harness(impatient) as run:
        await impatient.tasks["impatient:send"].send("cancel")

        assert (await run.drain()).outcomes == ["dead"]


@virtual_time
async def test_message_that_cannot_be_run_is_among_the_dead_alone() -> None:
    with Harness(worker) as run:
        await worker.broker.publish(Message(("not a number",), {}, "mail:wait"))
        report = await run.drain()

    assert report.runs == []
    assert [letter.reason for letter in report.dead] == ["undecodable"]


# Drain


@virtual_time
async def test_drain_returns_when_nothing_waits() -> None:
    with Harness(worker) as run:
        report = await run.drain()

    assert (report.runs, report.sent, report.dead) == ([], [], [])
    assert asyncio.get_running_loop().time() < 1


@virtual_time
async def test_drain_reports_what_happened_since_the_last_one() -> None:
    with Harness(worker) as run:
        await send.send("a")
        await run.drain()
        await send.send("b")
        report = await run.drain()

    assert [one.args for one in report.runs] == [("b",)]


@virtual_time
async def test_drain_that_takes_too_long_says_what_is_left() -> None:
    with Harness(worker) as run:
        await wait.send(3600)
        await send.with_options(delay=7200).send()

        left = "1 runs go on; mail:send: 1 waiting, 0 running; mail:wait: 0 waiting, 1 running"
        with pytest.raises(AssertionError, match=re.escape(f"within 60 s: {left}.")):
            await run.drain(within=timedelta(minutes=1))


@virtual_time
async def test_what_a_failed_drain_left_is_drained_by_the_next() -> None:
    with Harness(worker) as run:
        await wait.send(3600)
        with pytest.raises(AssertionError):
            await run.drain(within=60)

        assert (await run.drain()).outcomes == ["done"]


@virtual_time
async def test_wrong_option_fails_the_drain() -> None:
    wrong = Worker("wrong")
    wrong.task(max_trys=3)(send.function)

    with Harness(wrong) as run, pytest.raises(UnknownOptionError, match="max_tries"):
        await run.drain()


@virtual_time
async def test_worker_that_stops_by_itself_fails_the_drain() -> None:
    leaving = Worker("leaving")

    @leaving.task
    async def leave() -> None:
        leaving.stop()

    with Harness(leaving) as run:
        await leave.send()
        await leave.with_options(delay=60).send()

        with pytest.raises(RuntimeError, match="stopped before its time"):
            await run.drain()


@virtual_time
async def test_worker_that_failed_can_be_drained_later() -> None:
    late = Worker("late")
    task = late.task(max_trys=3)(send.function)

    with Harness(late) as run:
        await task.send()
        with pytest.raises(UnknownOptionError):
            await run.drain()
        late.register_middleware(KnowsMaxTrys())

        assert (await run.drain()).outcomes == ["done"]


def test_drain_takes_its_time_on_another_event_loop() -> None:
    async def main() -> list[str]:
        with Harness(worker) as run:
            await wait.send(0.05)
            await send.with_options(delay=0.05).send()
            return [*(await run.drain(within=20)).outcomes]

    assert asyncio.run(main()) == ["done", "done"]


def test_drain_refuses_a_loop_that_does_not_drive_the_virtual_clock() -> None:
    refusal = pytest.raises(RuntimeError, match=re.escape("clock.run(…)"))

    with Harness(worker) as run, VirtualClock(), refusal:
        asyncio.run(run.drain())


# What takes part


@virtual_time
async def test_schedule_sends_for_as_long_as_it_is_run() -> None:
    scheduler = Scheduler("redis://nowhere.invalid")
    scheduler.cron("0 * * * *", count.message("hourly"))

    with Harness(other, scheduler) as run:
        report = await run.run_for(timedelta(hours=3))

    hours = [START + timedelta(hours=n) for n in (1, 2, 3)]
    assert [one.started_at for one in report.runs] == hours
    assert report.sent == [Sent("other:count", ("hourly",))] * 3


@virtual_time
async def test_schedule_goes_on_where_it_was_interrupted() -> None:
    scheduler = Scheduler()
    scheduler.every(timedelta(hours=1), count.message("hourly"))

    with Harness(other, scheduler) as run:
        await run.run_for(timedelta(minutes=90))
        report = await run.run_for(timedelta(minutes=90))

    assert [one.started_at.hour for one in report.runs] == [2, 3]


@virtual_time
async def test_schedule_without_jobs_fails_the_run() -> None:
    with Harness(Scheduler()) as run, pytest.raises(ConfigurationError, match="no job"):
        await run.run_for(60)


@virtual_time
async def test_run_that_is_not_over_is_given_the_grace_time_then_returned() -> None:
    with Harness(worker) as run:
        await wait.send(20)
        await wait.send(3600)
        report = await run.run_for(10)

        assert report.outcomes == ["done", "returned"]
        assert (await run.drain()).outcomes == ["done"]


@virtual_time
async def test_workers_of_an_app_run_in_the_loop_of_the_test() -> None:
    app = App()
    loops: set[object] = set()
    workers = [Worker(name) for name in ("one", "two")]
    for each in workers:
        app.register_worker(each)

        @each.task
        async def task() -> None:
            loops.add((asyncio.get_running_loop(), threading.get_ident()))

    with Harness(app) as run:
        for each in workers:
            await each.tasks[f"{each.name}:{task.__qualname__}"].send()
        report = await run.drain()

    assert report.outcomes == ["done", "done"]
    assert loops == {(asyncio.get_running_loop(), threading.get_ident())}


@virtual_time
async def test_messages_pass_between_workers() -> None:
    ordering = Worker("ordering")

    @ordering.task
    async def order() -> None:
        await count.send("order")

    with Harness(ordering, other) as run:
        await order.send()
        report = await run.drain()

    assert [one.task.partition(":")[0] for one in report.runs] == ["ordering", "other"]


def test_every_ability_is_offered() -> None:
    with Harness(worker):
        assert [one for one in ABILITIES if not isinstance(worker.broker, one)] == []


# What it leaves behind


def test_brokers_and_middleware_are_put_back() -> None:
    mine = Worker("mine", "memory://mine")
    broker, stack, scheduler = mine.broker, list(mine.middlewares), Scheduler("memory://mine")

    with Harness(mine, scheduler):
        assert mine.broker is not broker
    assert mine.broker is broker
    assert mine.middlewares == stack
    assert repr(scheduler.broker) == "MemoryBroker('memory://mine')"
    assert scheduler.poll_interval == 10


def test_broker_that_was_not_made_yet_is_not_made() -> None:
    mine = Worker("mine", "nosuch://")

    with Harness(mine):
        assert mine.broker is not None

    assert "broker" not in vars(mine)


@virtual_time
async def test_each_harness_has_a_store_of_its_own() -> None:
    with Harness(worker):
        await send.send()

    with Harness(worker) as run:
        assert (await run.drain()).runs == []
