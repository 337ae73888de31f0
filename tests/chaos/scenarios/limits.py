"""T3 and T4: what all workers together may start, and run at once."""

from __future__ import annotations

import asyncio
import json
import math
import random
import signal
import statistics
import subprocess
import time
from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING

import limited
from processes import LTQ
from registry import scenario
from sender import Sender
from stage import LEASE, Stage
from waiting import PAUSE

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from processes import Process
    from tally import Line

RATE, BURST_RATE, GROUP_RATE = 200, 100, 50
"""Starts a second of the tasks in `work/limited.py`."""

BURST = 20
PLACES, PLACES_EACH = 5, 2
GROUPS = ("a", "b", "c", "d")

# How far the time of all starts may be off, and the starts of one second, for clocks.
SPAN, CLOCKS = 0.05, 1.02

# By how many seconds a message may be overtaken by one that was sent later: a process may
# have to wait for a processor when its slot comes.
JITTER = 0.02

# For how many seconds nobody takes slots when the worker is killed whose turn it was.
LOST_TURN = 1.2

# Commands of clients that no script calls itself; what else a worker sends while it waits
# is a look every four seconds.
CLIENT_COMMANDS = ("cmdstat_evalsha", "cmdstat_eval", "cmdstat_blpop")

# What a message without a limit costs when it comes alone is a claim, an ack and a wait.
# This bound is stricter than two commands more than those.
MOST_COMMANDS = 2.0

# Within how many seconds a task without a limit starts beside one that waits, and what is
# left of its throughput: of ten slots, some are kept for messages whose time is near.
UNHINDERED, LEAST_SHARE = 0.1, 0.25


@scenario("T3")
async def max_rate(stage: Stage) -> None:
    """Three workers, 200/s: evenly, in order, with few commands, and counted by `ltq size`."""
    await stage.redis()
    await _workers(stage, 3)
    async with Sender(stage, limited.worker) as sender:
        before = _commands(stage)
        keys = await sender.send("rated", stage.size(2000, 500), "")
        await stage.until_started(keys[:20])
        await _size_counts_what_waits(stage, keys)
        await stage.until_ended(keys)
        _expect_few_commands(stage, before, len(keys))
        starts = _first_starts(stage, keys)
        _expect_rate(stage, starts, RATE, burst=1)
        _expect_order(stage, starts, keys)
        await stage.finish()


@scenario("T3")
async def max_rate_beside(stage: Stage) -> None:
    """A task without a limit, with ten slots, beside one that waits: it is not held up."""
    await stage.redis()
    await _workers(stage, 2, "--concurrency", "10")
    async with Sender(stage, limited.worker) as sender:
        keys = await sender.send("rated", stage.size(2000, 600), "")
        await stage.until_started(keys[:20])
        waits = []
        for _ in range(stage.size(100, 30)):
            sent = time.monotonic()
            one = await sender.send("free", 1, "")
            await stage.until_started(one)
            waits.append(_first_starts(stage, one)[0].at - sent)
        stage.report.note(f"others start in {statistics.median(waits):.3f} s")
        stage.report.expect(max(waits) < UNHINDERED, f"one started after {max(waits):.3f} s")
        beside = await _throughput(stage, sender)
        stage.report.expect(not stage.tally.started(keys), "nothing waited any more")
        await stage.until_ended(keys)
        _expect_rate(stage, _first_starts(stage, keys), RATE, burst=1)
        share = beside / await _throughput(stage, sender)
        stage.report.note(f"{share:.0%} of their throughput")
        stage.report.expect(share > LEAST_SHARE, "others were held up")
        await stage.finish()


@scenario("T3")
async def max_rate_burst(stage: Stage) -> None:
    """100/s;burst=20: after a pause twenty start at once, then evenly."""
    await stage.redis()
    await _workers(stage, 3)
    async with Sender(stage, limited.worker) as sender:
        for _ in range(stage.size(3, 2)):
            keys = await sender.send("bursting", stage.size(420, 220), "")
            await stage.until_ended(keys)
            starts = _first_starts(stage, keys)
            at_once = starts[BURST - 1].at - starts[0].at
            stage.report.note(f"{BURST} in {at_once:.3f} s")
            stage.report.expect(at_once < BURST / BURST_RATE / 2, "no burst after a pause")
            _expect_rate(stage, starts, BURST_RATE, BURST)
            _expect_order(stage, starts, keys)
            await asyncio.sleep(1.5 * BURST / BURST_RATE)
        await stage.finish()


@scenario("T3")
async def max_rate_keyed(stage: Stage) -> None:
    """50/s for each of four keys: none is held up by the others, and each keeps order."""
    await stage.redis()
    await _workers(stage, 3)
    async with Sender(stage, limited.worker) as sender:
        before = _commands(stage)
        keys = await sender.send("rated_each", stage.size(2000, 400), "", groups=GROUPS)
        await stage.until_ended(keys)
        _expect_few_commands(stage, before, len(keys))
        for number in range(len(GROUPS)):
            group = keys[number :: len(GROUPS)]
            starts = _first_starts(stage, group)
            _expect_rate(stage, starts, GROUP_RATE, burst=1)
            _expect_order(stage, starts, group)
        await stage.finish()


@scenario("T3")
async def max_rate_killed(stage: Stage) -> None:
    """One of three workers is killed: nothing is lost, and the rate is kept."""
    await stage.redis()
    workers = await _workers(stage, 3)
    async with Sender(stage, limited.worker) as sender:
        keys = await sender.send("rated", stage.size(2000, 1000), "")
        await stage.until_started(keys[: len(keys) // 4])
        held = await _kill_a_holder(stage, workers, "rated")
        await stage.until_ended(keys)
        starts = _first_starts(stage, keys)
        _expect_rate(stage, starts, RATE, burst=1, lost=LOST_TURN)
        others = [key for key in keys if key not in held]
        _expect_order(stage, [one for one in starts if one.key not in held], others)
        await stage.finish()


@scenario("T4")
async def max_concurrency(stage: Stage) -> None:
    """Five at once over three workers; the places of a killed one are back in time."""
    await stage.redis()
    [doomed] = await _workers(stage, 1)
    async with Sender(stage, limited.worker) as sender:
        held = await sender.send("five", PLACES, "sleep 600", "sleep 0.5")
        await stage.until_started(held)
        await _workers(stage, 2)
        keys = await sender.send("five", stage.size(300, 60), "sleep 0.1")
        await asyncio.sleep(LEASE)
        stage.report.expect(not stage.tally.starts(keys[0]), "a sixth one was started")
        doomed.kill()
        killed = time.monotonic()
        await stage.until_started(held, times=2)
        back = max(stage.tally.starts(key)[1].at for key in held)
        stage.report.within(back - killed, 1.5 * LEASE, "places back in")
        await stage.until_ended()
        _expect_most(stage, PLACES, killed, doomed)
        await stage.finish()


@scenario("T4")
async def max_concurrency_keyed(stage: Stage) -> None:
    """Two at once of each of four keys, while one of three workers is killed."""
    await stage.redis()
    async with Sender(stage, limited.worker) as sender:
        workers = await _workers(stage, 3)
        keys = await sender.send("two_each", stage.size(800, 200), "sleep 0.05", groups=GROUPS)
        await stage.until_started(keys[: len(keys) // 4])
        workers[0].kill()
        killed = time.monotonic()
        await stage.until_ended()
        for number in range(len(GROUPS)):
            group = set(keys[number :: len(GROUPS)])
            _expect_most(stage, PLACES_EACH, killed, workers[0], group)
        await stage.finish()


async def _workers(stage: Stage, count: int, *options: str) -> list[Process]:
    workers = [stage.run("limited:worker", *options) for _ in range(count)]
    for worker in workers:
        await stage.until_logged(worker, "Plugins")  # the end of the banner
    return workers


async def _size_counts_what_waits(stage: Stage, keys: Sequence[str]) -> None:
    before = len(_first_starts(stage, keys))
    command = [LTQ, "size", "chaos:rated", "--broker-url", stage.url]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
    size = int(done.stdout.rpartition(b":")[2])
    waiting = len(keys) - len(_first_starts(stage, keys))
    # A worker may hold what starts in the next 0.1 s; the figure is a moment old.
    reserved = RATE * 0.1 + 10
    stage.report.note(f"size {size}")
    right = waiting - reserved <= size <= len(keys) - before
    stage.report.expect(right, f"ltq size says {size}, and {waiting} wait")


def _commands(stage: Stage) -> int:
    with stage.server.client() as client:
        stats = client.info("commandstats")
    return sum(stats[name]["calls"] for name in CLIENT_COMMANDS if name in stats)


def _expect_few_commands(stage: Stage, before: int, messages: int) -> None:
    each = (_commands(stage) - before) / messages
    stage.report.note(f"{each:.2f} commands a message")
    stage.report.expect(each <= MOST_COMMANDS, f"more than {MOST_COMMANDS:g} commands")


def _first_starts(stage: Stage, keys: Sequence[str]) -> list[Line]:
    """The first start of each of *keys* that was started, by time."""
    starts = [found[0] for key in keys if (found := stage.tally.starts(key))]
    return sorted(starts, key=lambda line: line.at)


def _expect_rate(
    stage: Stage, starts: Sequence[Line], rate: float, burst: int, lost: float = 0
) -> None:
    """Expect *starts* to take their time, and no second to have more than it may.

    *lost* is for how many seconds the slots may have been nobody's.
    """
    span, right = starts[-1].at - starts[0].at, (len(starts) - burst) / rate
    stage.report.note(f"{len(starts)} in {span:.2f} s")
    fine = -SPAN * right <= span - right <= SPAN * right + lost
    stage.report.expect(fine, f"{span:.2f} s instead of {right:.2f} s")
    expect_busiest(stage, starts, rate, burst)


def expect_busiest(stage: Stage, starts: Sequence[Line], rate: float, burst: int) -> None:
    """Expect no second to have more of *starts* than it may."""
    times = [line.at for line in starts]
    most = max(bisect_left(times, at + 1) - place for place, at in enumerate(times))
    stage.report.note(f"{most} in a second")
    stage.report.expect(most <= CLOCKS * (rate + burst), f"{most} started within a second")


def _expect_order(stage: Stage, starts: Sequence[Line], keys: Sequence[str]) -> None:
    """Expect *keys* to have been started in their order."""
    at = {line.key: line.at for line in starts}
    overtaken, earliest = 0.0, math.inf
    for key in reversed(keys):
        overtaken = max(overtaken, at[key] - earliest)
        earliest = min(earliest, at[key])
    stage.report.note(f"overtaken by {1000 * overtaken:.1f} ms")
    stage.report.expect(overtaken <= JITTER, f"one was overtaken by {overtaken:.3f} s")


async def _kill_a_holder(stage: Stage, workers: Sequence[Process], task: str) -> set[str]:
    """Kill one of *workers* while it holds messages of *task*; their keys."""
    while True:
        worker = random.choice(workers)
        worker.signal(signal.SIGSTOP)
        if held := _held_by(stage, worker, task):
            worker.kill()
            stage.report.note(f"{len(held)} held")
            return held
        worker.signal(signal.SIGCONT)
        await asyncio.sleep(PAUSE)


def _held_by(stage: Stage, worker: Process, task: str) -> set[str]:
    # Each claim is named after the process that made it.
    with stage.server.client() as client:
        names = client.scan_iter(f"processing:chaos:{task}:*-{worker.pid}-*", count=1000)
        held = [raw for name in names for raw in client.zrange(name, 0, -1)]
    return {json.loads(raw)["args"][0] for raw in held}


async def _throughput(stage: Stage, sender: Sender) -> float:
    """How many messages of a task without a limit start a second."""
    began = time.monotonic()
    keys = await sender.send("free", stage.size(500, 150), "sleep 0.02")
    await stage.until_ended(keys)
    return len(keys) / (_first_starts(stage, keys)[-1].at - began)


def _expect_most(
    stage: Stage, limit: int, killed: float, doomed: Process, keys: Collection[str] = ()
) -> None:
    """Expect *limit* of *keys*, or of all, to have run at once, and never more."""
    stage.tally.read()
    running: Counter[int] = Counter()
    most, dead = 0, False
    for line in sorted(stage.tally.lines, key=lambda one: one.at):
        if not dead and line.at > killed:
            dead, running[doomed.pid] = True, 0
        if not keys or line.key in keys:
            running[line.pid] += 1 if line.event == "start" else -1
            most = max(most, running.total())
    stage.report.note(f"{most} at once")
    stage.report.expect(most == limit, f"{most} at once instead of {limit}")
