"""T1 and T2: ticks leave in time, and those that could not are made up for.

That each tick comes once, whatever dies and however clocks are set: see `clocks.py`.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from typing import TYPE_CHECKING

import crowd
import gaps
from registry import scenario
from report import some
from stage import LOST, Stage
from waiting import until

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

MEDIAN, LATEST = 0.05, 0.25
"""Within how many seconds of its time half of the ticks leave, and 99 of 100."""

# Within how many seconds of Redis's return all ticks of its absence are run. A scheduler
# that was started meanwhile waits two seconds for those that lived through it.
MADE_UP = 4.0


@scenario("T1")
async def tick_latency(stage: Stage) -> None:
    """One job: its ticks leave within 50 ms at the median, 250 ms at p99."""
    await stage.redis()
    await _measure(stage, "schedules:scheduler", stage.size(30, 5), jobs=1)


@scenario("T1")
async def tick_latency_crowd(stage: Stage) -> None:
    """500 jobs due in the same second: likewise."""
    await stage.redis()
    await _measure(stage, "crowd:scheduler", stage.size(20, 4), jobs=crowd.JOBS)


@scenario("T2")
async def scheduler_without_redis(stage: Stage) -> None:
    """Redis is away while schedulers live, die and start: its ticks are sent afterwards."""
    stage.allow(LOST)
    server = await stage.redis(appendonly="yes")
    stage.run()
    survivor, victim = (stage.run("schedules:scheduler") for _ in range(2))
    await until(lambda: stage.tally.count("done") > 2, 15, "ticks come")

    await asyncio.to_thread(server.stop)
    stopped = time.time()
    await stage.until_logged(survivor, "is tried again")
    victim.kill()
    stage.run("schedules:scheduler")
    await asyncio.sleep(stage.size(20, 5))
    returned = time.time()
    await asyncio.to_thread(server.start)
    back = time.monotonic()

    outage = range(math.ceil(stopped), math.floor(returned))
    keys = [f"second@{second}" for second in outage]
    await until(lambda: stage.tally.ended(keys), 15, "the ticks of the outage are run")
    stage.report.within(time.monotonic() - back, MADE_UP, f"{len(keys)} ticks made up for in")
    await _stop_schedulers(stage)
    _expect_once(stage, "second")
    _expect_gap(stage, "second", 0)


@scenario("T2")
async def no_scheduler_lives(stage: Stage) -> None:
    """The only scheduler is killed and started again: `missed` decides."""
    await stage.redis()
    stage.run()
    scheduler = stage.run("gaps:scheduler")
    await until(lambda: stage.tally.count("done") > 3 * len(gaps.MISSED), 15, "ticks come")
    scheduler.kill()
    dead = stage.size(10, 4)
    await asyncio.sleep(dead)
    count = stage.tally.count("done")
    stage.run("gaps:scheduler")
    await until(lambda: stage.tally.count("done") > count + 4 * dead, 30, "ticks come again")
    await _stop_schedulers(stage)
    stage.report.expect(len(_seconds(stage, "once")) == 1, "at() was not sent once")
    for missed in gaps.MISSED:
        _expect_once(stage, missed)
    _expect_gap(stage, "all", 0)
    skipped = _gap(_seconds(stage, "skip"))
    stage.report.note(f"{len(skipped)} ticks skipped")
    stage.report.expect(len(skipped) >= dead - 1, f"only {len(skipped)} skipped")
    latest = _gap(_seconds(stage, "latest"))
    stage.report.expect(
        latest and latest[-1] == skipped[-1] - 1, "the latest missed one was not sent"
    )


async def _measure(stage: Stage, target: str, seconds: float, jobs: int) -> None:
    """Let ticks wait in Redis, whose clock notes when each came; then run them."""
    scheduler = stage.run(target)
    await until(lambda: stage.store.waiting("tick"), 15, "the first tick comes")
    await asyncio.sleep(seconds)
    await scheduler.stop()
    late = []
    for raw, came in stage.store.waiting("tick"):
        message = json.loads(raw)
        tick = message["ctx"]["scheduled_for"]
        late.append(came - tick)
        stage.accepted.append(f"{message['args'][0]}@{tick:.0f}")
    late.sort()
    median, p99 = late[len(late) // 2], late[len(late) * 99 // 100]
    stage.report.note(f"median {1000 * median:.1f} ms, p99 {1000 * p99:.1f} ms")
    stage.report.expect(late[0] >= 0, f"{-late[0]:.3f} s too early")
    stage.report.expect(median <= MEDIAN, f"a median of {median:.3f} s")
    stage.report.expect(p99 <= LATEST, f"a p99 of {p99:.3f} s")
    stage.report.expect(len(late) >= (seconds - 1) * jobs, f"only {len(late)} ticks")
    stage.run()
    await stage.finish()


async def _stop_schedulers(stage: Stage) -> None:
    """Stop all but the worker, the first process; then it, once all ticks are run."""
    for process in stage.processes[1:]:
        if process.code is None:
            await process.stop()
    await until(
        lambda: not stage.store.waiting("tick") and not stage.store.held("tick"),
        10,
        "all ticks are run",
    )
    stage.tally.read()
    stage.accepted = [line.key for line in stage.tally.lines if line.event == "done"]
    await stage.stop_all()
    stage.count()


def _seconds(stage: Stage, name: str) -> list[int]:
    """The ticks of the job *name* that were run, by time."""
    done = (line.key for line in stage.tally.lines if line.event == "done")
    return sorted(int(key.partition("@")[2]) for key in done if key.startswith(f"{name}@"))


def _expect_once(stage: Stage, name: str) -> None:
    seconds = _seconds(stage, name)
    stage.report.expect(len(seconds) == len(set(seconds)), f"a tick of {name} came twice")


def _expect_gap(stage: Stage, name: str, count: int) -> None:
    missing = _gap(_seconds(stage, name))
    stage.report.note(f"{len(missing)} of {name} missed")
    stage.report.expect(len(missing) == count, f"missed: {some([str(one) for one in missing])}")


def _gap(seconds: Sequence[int]) -> list[int]:
    """What is missing in *seconds* between the first and the last."""
    known: Collection[int] = set(seconds)
    return [one for one in range(seconds[0], seconds[-1]) if one not in known]
