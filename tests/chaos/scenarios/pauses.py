"""T3 and T4 beside pauses: what waits for slots and places stands still and goes on."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

import limited
from processes import Keeper
from registry import scenario
from scenarios.limits import (
    BURST,
    BURST_RATE,
    GROUP_RATE,
    GROUPS,
    PLACES,
    PLACES_EACH,
    RATE,
    expect_busiest,
)
from sender import Sender

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from processes import Process
    from stage import Stage
    from tally import Line

# Starts a second and burst, or places, of each key of a task.
RATES = {"rated": (RATE, 1), "bursting": (BURST_RATE, BURST), "rated_each": (GROUP_RATE, 1)}
LIMITS = {"five": PLACES, "two_each": PLACES_EACH}
KEYED = ("rated_each", "two_each")

# A run that takes a place, and how many of them all places together let start a second.
STEP, PACE = "sleep 0.1", {"five": 50, "two_each": 80}

# For how many seconds after a pause began a message may start: slots are reserved 0.1 s ahead.
GRACE = 0.2

Span = tuple[float, float]


@scenario("T3")
async def pause_beside(stage: Stage) -> None:
    """Queues with limits are paused and resumed while three workers are killed and stopped."""
    await stage.redis()
    seconds = stage.size(60.0, 8.0)
    keeping = Keeper(lambda: _worker(stage), 3)
    async with Sender(stage, limited.worker) as sender, keeping as keeper:
        keys = {task: await _send(sender, task, seconds) for task in (*RATES, *LIMITS)}
        until = time.monotonic() + seconds
        deaths, *pauses = await asyncio.gather(
            _harm(keeper, until), *(_pause(sender, task, until) for task in keys)
        )
        stage.report.note(f"{len(deaths)} kills, {sum(map(len, pauses))} pauses")
        await stage.finish()
    for (task, sent), spans in zip(keys.items(), pauses, strict=True):
        _expect_none_started(stage, sent, spans)
        for group in _by_key(task, sent):
            if task in RATES:
                expect_busiest(stage, _starts(stage, group), *RATES[task])
            else:
                most = _most_at_once(stage, group, deaths)
                stage.report.expect(most <= LIMITS[task], f"{most} of {task} at once")


def _worker(stage: Stage) -> Process:
    return stage.run("limited:worker", "--concurrency", random.choice(("2", "10", "100")))


async def _send(sender: Sender, task: str, seconds: float) -> list[str]:
    """As many as would take half of *seconds* without pauses."""
    groups = GROUPS if task in KEYED else ("",)
    pace = RATES[task][0] * len(groups) if task in RATES else PACE[task]
    step = STEP if task in LIMITS else ""
    return await sender.send(task, int(pace * seconds / 2), step, groups=groups)


async def _harm(keeper: Keeper, until: float) -> list[tuple[float, int]]:
    """Kill or stop one worker after another; when which of them were killed."""
    deaths = []
    while time.monotonic() < until:
        await asyncio.sleep(random.uniform(0.5, 1.5))
        if keeper.living:
            worker = random.choice(keeper.living)
            if random.random() < 0.5:
                worker.signal(signal.SIGTERM)
            else:
                worker.kill()
                deaths.append((time.monotonic(), worker.pid))
    return deaths


async def _pause(sender: Sender, task: str, until: float) -> list[Span]:
    """Pause and resume the queue of *task*; when it stood still."""
    broker, queue, spans = sender.broker, sender.task(task).name, []
    while time.monotonic() < until:
        await asyncio.sleep(random.uniform(0.05, 1))
        await broker.pause(queue)
        began = time.monotonic()
        await asyncio.sleep(random.choice((0.01, 0.1, 0.5, 1.5)))
        spans.append((began, time.monotonic()))
        await broker.resume(queue)
    return spans


def _by_key(task: str, keys: Sequence[str]) -> list[Sequence[str]]:
    return (
        [keys[number :: len(GROUPS)] for number in range(len(GROUPS))]
        if task in KEYED
        else [keys]
    )


def _starts(stage: Stage, keys: Collection[str]) -> list[Line]:
    """All starts of *keys*, those that were repeated too, by time."""
    lines = [line for key in keys for line in stage.tally.starts(key)]
    return sorted(lines, key=lambda line: line.at)


def _expect_none_started(stage: Stage, keys: Sequence[str], pauses: Sequence[Span]) -> None:
    starts = _starts(stage, keys)
    late = [
        line.at - began
        for began, ended in pauses
        for line in starts
        if began + GRACE < line.at < ended
    ]
    worst = max(late, default=0.0)
    stage.report.expect(not late, f"{len(late)} started {worst:.2f} s after a pause began")


def _most_at_once(
    stage: Stage, keys: Collection[str], deaths: Sequence[tuple[float, int]]
) -> int:
    """How many of *keys* ran at once; what ran in a process ended with its death."""
    among = set(keys)
    events = [(at, pid, 0) for at, pid in deaths]
    for line in stage.tally.lines:
        if line.key in among:
            events.append((line.at, line.pid, 1 if line.event == "start" else -1))
    running: Counter[int] = Counter()
    most = 0
    for _, pid, step in sorted(events):
        running[pid] = running[pid] + step if step else 0
        most = max(most, running.total())
    return most
