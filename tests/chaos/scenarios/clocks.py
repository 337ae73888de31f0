"""R12 and R13: clocks that go wrong, and schedulers that die."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from typing import TYPE_CHECKING

from processes import WORK, Keeper
from registry import scenario
from report import some
from stage import LEASE, Stage
from waiting import until

if TYPE_CHECKING:
    from processes import Process

SHIFT = 120
"""Seconds by which clocks go wrong, ahead and behind."""


@scenario("R12")
async def shifted_clocks(stage: Stage) -> None:
    """Producers and workers whose clocks are 120 s ahead and 120 s behind."""
    await stage.redis()
    workers = [_shifted(stage, shift, "tasks:worker") for shift in (SHIFT, -SHIFT)]
    for shift in (SHIFT, -SHIFT):
        await _produce(stage, shift, "fresh", "sleep 0.05", 0, stage.size(500, 200))
    await stage.until_ended()
    for shift in (SHIFT, -SHIFT):
        await _delayed(stage, shift)
    long = await _produce(stage, SHIFT, "fresh", f"sleep {2 * LEASE}", 0, 4)
    await stage.until_ended(long)
    again = stage.tally.restarted()
    stage.report.expect(not again, f"started more than once: {some(again)}")
    await _taken_over(stage, workers)
    await stage.finish()
    stage.report.expect(not stage.store.dead("fresh"), "max_age rejected a message")


@scenario("R13")
async def dying_schedulers(stage: Stage) -> None:
    """Three schedulers, one of them killed at a time: every tick comes once."""
    await stage.redis()
    stage.run()
    async with Keeper(lambda: stage.run("schedules:scheduler", mortal=True), 3) as crew:
        await until(lambda: stage.tally.count("done"), 15, "the first tick comes")
        for _ in range(stage.size(20, 5)):
            await asyncio.sleep(random.uniform(0.8, 1.6))
            random.choice(crew.living).kill()
        await asyncio.sleep(1.5)
        stage.report.note(f"{crew.restarts} deaths")
    for process in crew.living:
        await process.stop()
    await _all_ticks(stage)


@scenario("R13")
async def shifted_schedulers(stage: Stage) -> None:
    """Two schedulers, 240 s apart by their own clocks: ticks are the server's."""
    await stage.redis()
    stage.run()
    pair = [_shifted(stage, shift, "schedules:scheduler") for shift in (SHIFT, -SHIFT)]
    await until(lambda: stage.tally.count("done") > stage.size(15, 6), 30, "ticks come")
    for process in pair:
        await process.stop()
    await _all_ticks(stage)


async def _all_ticks(stage: Stage) -> None:
    """Count the ticks once nobody sends any more: each second one, from first to last."""
    stopped = time.monotonic()
    await until(
        lambda: not stage.store.held("tick") and not stage.store.waiting("tick"),
        10,
        "all are run",
    )
    stage.tally.read()
    done = [line for line in stage.tally.lines if line.event == "done"]
    seconds = sorted(int(line.key.partition("@")[2]) for line in done)
    missed = sorted(set(range(seconds[0], seconds[-1])) - set(seconds))
    stage.accepted = [line.key for line in done]
    await stage.stop_all()
    stage.count()
    expected = stopped - min(line.at for line in done)
    stage.report.note(f"{len(missed)} ticks missed in {expected:.0f} s")
    stage.report.expect(not missed, f"missed: {some([str(one) for one in missed])}")
    stage.report.expect(len(seconds) == len(set(seconds)), "a tick came twice")
    stage.report.expect(abs(len(seconds) - expected) < 2.5, f"{len(seconds)} ticks")


async def _delayed(stage: Stage, shift: int) -> None:
    sent = time.monotonic()
    keys = await _produce(stage, shift, "fresh", "", 4, 1)
    await stage.until_ended(keys)
    waited = stage.tally.starts(keys[0])[0].at - sent
    # The producer's process takes a moment to start before the delay begins.
    stage.report.expect(4 <= waited < 7, f"a delay of 4 s took {waited:.1f} s")


async def _taken_over(stage: Stage, workers: list[Process]) -> None:
    keys = await _produce(stage, -SHIFT, "act", "sleep 5", 0, 4)
    await stage.until_started(keys)
    pid = stage.tally.starts(keys[0])[0].pid
    next(worker for worker in workers if worker.pid == pid).kill()
    killed = time.monotonic()
    await stage.until_started(keys[:1], times=2)
    again = stage.tally.starts(keys[0])[1].at
    stage.report.within(again - killed, 1.5 * LEASE, "taken over in")


async def _produce(
    stage: Stage, shift: int, task: str, step: str, delay: float, count: int
) -> list[str]:
    keys = stage.new_keys(count)
    command = [sys.executable, "produce.py", task, step, f"{delay}", *keys]
    producer = stage.process(command, mortal=True, environment=_clock(shift))
    code = await producer.ended(20)
    stage.report.expect(code == 0, f"a producer ended with code {code}")
    stage.accepted += keys
    return keys


def _shifted(stage: Stage, shift: int, target: str) -> Process:
    return stage.run(target, environment=_clock(shift))


def _clock(shift: int) -> dict[str, str]:
    return {"PYTHONPATH": str(WORK / "shifted"), "LTQ_CHAOS_SHIFT": str(shift)}
