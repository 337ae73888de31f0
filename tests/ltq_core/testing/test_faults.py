"""The fault switches: what a worker and its messages live through."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from ltq_core import BrokerUnavailableError, Scheduler, Worker, current_message
from ltq_core.testing import Faults, Harness, TaskRun, virtual_time
from ltq_core.testing.virtual import START

LEASE = 30.0

worker = Worker("mail", "redis://nowhere.invalid")


@worker.task
async def send(seconds: float = 1.0) -> None:
    await asyncio.sleep(seconds)


@worker.task(max_tries=3, backoff=0)
async def fail() -> None:
    raise ValueError


@worker.task
def plain() -> None: ...


@worker.task
async def other() -> None: ...


def harness(*parts: Worker | Scheduler) -> Harness:
    return Harness(*(parts or (worker,)), lease=LEASE)


def at(run: TaskRun) -> float:
    """When *run* started, in seconds after the clock did."""
    return (run.started_at - START).total_seconds()


# Kill


@virtual_time
async def test_killed_after_the_run_its_message_runs_again_when_the_lease_ends() -> None:
    with harness() as run:
        await send.send()
        run.faults.kill_after(send)
        report = await run.drain()

    assert report.outcomes == ["done", "done"]
    assert [one.attempt for one in report.runs] == [1, 1]
    assert len({one.id for one in report.runs}) == 1
    assert 1 + LEASE / 2 < at(report.runs[1]) <= 1 + LEASE


@virtual_time
async def test_killed_before_the_run_the_message_runs_once() -> None:
    with harness() as run:
        await send.send()
        run.faults.kill_before(send)
        report = await run.drain()

    assert report.outcomes == ["done"]
    assert at(report.runs[0]) == LEASE


@virtual_time
async def test_killed_here_the_run_ends_and_runs_again_when_the_lease_ends() -> None:
    fragile = Worker("fragile")
    steps: list[str] = []

    @fragile.task
    async def charge() -> None:
        steps.append("charge")
        if len(steps) == 1:
            await run.faults.kill_here()
        steps.append("receipt")

    with harness(fragile) as run:
        await charge.send()
        report = await run.drain()

    assert steps == ["charge", "charge", "receipt"]
    assert report.outcomes == ["killed", "done"]


@virtual_time
async def test_kill_ends_the_other_runs_of_the_worker_too() -> None:
    with harness() as run:
        await send.send(3600)
        await other.with_options(delay=10).send()
        run.faults.kill_after(other)
        report = await run.drain()

    assert [(one.task, one.outcome) for one in report.runs] == [
        ("mail:other", "done"),
        ("mail:send", "killed"),
        ("mail:other", "done"),
        ("mail:send", "done"),
    ]


@virtual_time
async def test_kill_takes_the_acks_that_were_not_sent_yet_along() -> None:
    with harness() as run:
        await send.send(1)
        await send.send(1.001)
        run.faults.kill_after(send)
        report = await run.drain()

    assert report.outcomes == ["done"] * 4


@virtual_time
async def test_kill_strikes_a_failed_run_before_its_retry_is_stored() -> None:
    with harness() as run:
        await fail.send()
        run.faults.kill_after(fail)
        report = await run.drain()

    assert [one.attempt for one in report.runs] == [1, 1, 2, 3]


@virtual_time
async def test_kill_strikes_a_plain_task() -> None:
    with harness() as run:
        await plain.send()
        run.faults.kill_after(plain)

        assert (await run.drain()).outcomes == ["done", "done"]


@virtual_time
async def test_message_that_keeps_killing_its_worker_is_given_up() -> None:
    with harness() as run:
        await send.send()
        run.faults.kill_after(send, times=5)
        report = await run.drain()

    assert report.outcomes == ["done"] * 5
    assert [(letter.reason, letter.crashes) for letter in report.dead] == [("crashed", 5)]


@virtual_time
async def test_workers_of_one_harness_die_alone() -> None:
    surviving = Worker("surviving")

    @surviving.task
    async def survive() -> None:
        await asyncio.sleep(1000)

    with harness(worker, surviving) as run:
        await surviving.tasks[survive.name].send()
        await send.send()
        run.faults.kill_before(send)
        report = await run.drain()

    assert report.outcomes == ["done", "done"]


def test_worker_is_killed_on_another_event_loop_too() -> None:
    async def main() -> list[str]:
        with Harness(worker, lease=0.3) as run:
            await other.send()
            run.faults.kill_after(other)
            return [*(await run.drain(within=20)).outcomes]

    assert asyncio.run(main()) == ["done", "done"]


@virtual_time
async def test_kill_here_is_refused_outside_of_a_task() -> None:
    with pytest.raises(RuntimeError, match="only in a task"):
        await Faults().kill_here()


@virtual_time
async def test_drain_waits_for_a_killed_run_that_ends_late() -> None:
    stubborn = Worker("stubborn")
    attempts: list[str] = []

    @stubborn.task
    async def clean_up() -> None:
        attempts.append("begun")
        try:
            await asyncio.sleep(10 if len(attempts) == 1 else 0)
        finally:
            await asyncio.sleep(3600 if len(attempts) == 1 else 0)

    blow = stubborn.task(other.function)
    with harness(stubborn) as run:
        await clean_up.send()
        await blow.with_options(delay=5).send()
        run.faults.kill_before(blow)
        report = await run.drain()

    assert report.outcomes == ["done", "done", "killed"]
    assert asyncio.get_running_loop().time() == 3605


# Lost and doubled


@virtual_time
async def test_message_whose_ack_is_lost_runs_again_when_the_lease_ends() -> None:
    with harness() as run:
        await send.send()
        run.faults.lose_ack(send)
        report = await run.drain()

    assert report.outcomes == ["done", "done"]
    assert at(report.runs[1]) == pytest.approx(1 + LEASE, abs=0.01)


@virtual_time
async def test_message_whose_ack_is_lost_returns_as_it_was() -> None:
    seen: list[dict[str, object]] = []
    noting = Worker("noting")

    @noting.task
    async def note() -> None:
        ctx = current_message().message.ctx
        seen.append(dict(ctx))
        ctx["changed"] = True

    with harness(noting) as run:
        await note.send()
        run.faults.lose_ack()
        await run.drain()

    assert seen[0] == seen[1]


@virtual_time
async def test_message_whose_ack_is_lost_returns_though_its_run_made_it_no_json() -> None:
    spoiling = Worker("spoiling")

    @spoiling.task
    async def spoil() -> None:
        current_message().message.kwargs["more"] = object()

    with harness(spoiling) as run:
        await spoil.send()
        run.faults.lose_ack()
        report = await run.drain()

    assert report.outcomes == ["done", "done"]


@virtual_time
async def test_lost_ack_does_not_matter_to_other_messages() -> None:
    with harness() as run:
        await send.send()
        await other.send()
        run.faults.lose_ack(send)
        report = await run.drain()

    assert [one.task for one in report.runs] == ["mail:other", "mail:send", "mail:send"]


@virtual_time
async def test_message_delivered_twice_runs_twice_at_once() -> None:
    with harness() as run:
        await send.send(3600)
        run.faults.deliver_twice(send)
        report = await run.drain()

    assert report.outcomes == ["done", "done"]
    assert [at(one) for one in report.runs] == [0, 0]
    assert len({one.id for one in report.runs}) == 1


@virtual_time
async def test_message_delivered_twice_whose_first_run_fails_is_retried_once() -> None:
    with harness() as run:
        await fail.send()
        run.faults.deliver_twice(fail)
        report = await run.drain()

    assert report.outcomes == ["retry", "retry", "retry", "dead"]
    assert [one.attempt for one in report.runs] == [1, 1, 2, 3]


@virtual_time
async def test_message_delivered_twice_to_one_slot_runs_twice_in_a_row() -> None:
    narrow = Worker("narrow", concurrency=1)
    task = narrow.task(send.function)

    with harness(narrow) as run:
        await task.send(10)
        run.faults.deliver_twice()
        report = await run.drain()

    assert [round(at(one), 1) for one in report.runs] == [0, 10]


# Away


@virtual_time
async def test_send_fails_while_the_broker_is_away() -> None:
    with harness() as run:
        run.faults.away(60)
        with pytest.raises(BrokerUnavailableError):
            await send.send()
        await asyncio.sleep(60)
        await send.send()

    assert len(run.sent) == 1


def test_synchronous_send_fails_while_the_broker_is_away() -> None:
    with harness() as run:
        run.faults.away(60)

        with pytest.raises(BrokerUnavailableError):
            send.send_sync()


@virtual_time
async def test_worker_waits_for_a_broker_that_is_away_when_it_starts() -> None:
    with harness() as run:
        await send.send()
        run.faults.away(60)
        report = await run.drain()

    assert report.outcomes == ["done"]
    assert 60 <= at(report.runs[0]) < 62


@virtual_time
async def test_worker_goes_on_when_a_broker_that_went_away_is_back() -> None:
    with harness() as run:
        await send.send(30)
        await other.with_options(delay=60).send()
        asyncio.get_running_loop().call_later(20, run.faults.away, 100)
        report = await run.drain()

    assert [one.task for one in report.runs] == ["mail:send", "mail:other"]
    assert 120 <= at(report.runs[1]) < 122


@virtual_time
async def test_schedule_sends_the_ticks_of_the_time_when_the_broker_was_away() -> None:
    scheduler = Scheduler()
    scheduler.every(timedelta(minutes=1), other.message())

    with harness(worker, scheduler) as run:
        asyncio.get_running_loop().call_later(90, run.faults.away, 120)
        report = await run.run_for(290)

    ticks = [sent.message.ctx["scheduled_for"] for sent in report.sent if sent.message]
    assert [tick - START.timestamp() for tick in ticks] == [60, 120, 180, 240]


@virtual_time
async def test_lost_ack_of_a_worker_that_was_stopped_meanwhile_costs_one_run_only() -> None:
    with harness() as run:
        await send.send(10)
        run.faults.lose_ack(send)
        await run.run_for(15)
        report = await run.drain()

    assert report.outcomes == ["done"]


# Which, and how often


@virtual_time
async def test_fault_strikes_as_often_as_it_should() -> None:
    with harness() as run:
        await send.send()
        run.faults.lose_ack("mail:send", times=3)
        report = await run.drain()

    assert report.outcomes == ["done"] * 4


@virtual_time
async def test_fault_of_no_task_strikes_any() -> None:
    with harness() as run:
        await other.send()
        run.faults.lose_ack()

        assert (await run.drain()).outcomes == ["done", "done"]


@virtual_time
async def test_fault_that_never_happened_fails_the_test() -> None:
    with (
        pytest.raises(AssertionError, match=r"never happened: kill_after\(mail:send\), 2 more"),
        harness() as run,
    ):
        run.faults.kill_after(send, times=2)


@virtual_time
async def test_fault_that_never_happened_does_not_hide_another_failure() -> None:
    with pytest.raises(KeyError), harness() as run:
        run.faults.kill_after(send)
        raise KeyError
