"""T5 and T6: one message for each unique key, and dead letters that come back once."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter, defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import sole
from processes import LTQ
from registry import scenario
from report import some
from sender import Sender
from stage import LEASE, Stage
from waiting import PAUSE, StuckError, until

from ltq_core import BrokerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

RACERS = 8

# Seconds over which the sends of a round are spread: a message takes some thousandths.
SPREAD = 0.08

# How long a key is held at least, in seconds, and how late its end may be noticed.
HOLD, NOTICED = 2.0, 0.5

# Seconds between two cuts of all connections: a call over some letters may succeed between.
CUT = 0.1

# Letters that are moved before a process is killed, at most, and by one call of the broker.
SOME, FEW = 100, 20


@scenario("T5")
async def unique_race(stage: Stage) -> None:
    """Eight processes race for each key, and nobody works: one message stands."""
    await stage.redis()
    rounds = stage.size(100, 20)
    standing = await _race(stage, rounds, keys=rounds, spread=0)
    stored = stage.store.waiting("sole")
    stage.accepted = [json.loads(raw)["args"][0] for raw, _ in stored]
    stage.report.expect(len(stored) == rounds, f"{len(stored)} stored for {rounds} keys")
    torn = [key for key, ids in standing.items() if len(ids) > 1]
    stage.report.expect(not torn, f"two messages stand for {some(torn)}")
    stage.run("sole:worker")
    await stage.finish()
    _expect_released(stage)


@scenario("T5")
async def unique_while_working(stage: Stage) -> None:
    """Eight processes race for three keys that workers release all the time."""
    await stage.redis()
    for _ in range(2):
        stage.run("sole:worker")
    standing = await _race(stage, stage.size(100, 30), keys=3, spread=SPREAD)
    await until(lambda: not stage.store.residue(), 15, "all have ended")
    stage.tally.read()
    stage.accepted = [line.key for line in stage.tally.lines if line.event == "start"]
    await stage.finish()
    sent = sum(map(len, standing.values()))
    stage.report.expect(sent == len(stage.accepted), f"{sent} ids, not as many messages")
    stage.report.expect(not stage.tally.restarted(), "a message was run twice")
    together = _most_of_a_key(stage)
    stage.report.expect(together == 1, f"{together} of one key ran at once")
    _expect_released(stage)


@scenario("T5")
async def unique_killed(stage: Stage) -> None:
    """The worker of a message is killed: its key is held until it has ended, no longer."""
    await stage.redis()
    doomed = stage.run("sole:worker")
    async with Sender(stage, sole.worker) as sender:
        want = sender.task("sole").with_options(unique="key").send
        first, second = stage.new_keys(2)
        stage.accepted += [first, second]
        id_ = await want(first, ["sleep 600", ""], "")
        await stage.until_started([first])
        doomed.kill()
        killed = time.monotonic()
        stage.report.expect(await want("never", [""], "") == id_, "the key was lost")
        stage.run("sole:worker")
        released = await _released(want, second, id_)
        stage.report.within(released - killed, 1.5 * LEASE + NOTICED, "released in")
        stage.report.expect(stage.tally.ended([first]), "released before the message ended")
        await stage.finish()
    stage.report.expect(not stage.tally.starts("never"), "a duplicate was run")
    _expect_released(stage)


@scenario("T5")
async def unique_for(stage: Stage) -> None:
    """With `unique_for` a key outlives its message, and is released in time."""
    await stage.redis()
    stage.run("sole:worker")
    async with Sender(stage, sole.worker) as sender:
        want = sender.task("sole").with_options(unique="key", unique_for=HOLD).send
        first, second = stage.new_keys(2)
        stage.accepted += [first, second]
        id_ = await want(first, [""], "")
        sent = time.monotonic()
        await stage.until_ended([first])
        held = await _released(want, second, id_) - sent
        stage.report.expect(held >= HOLD - PAUSE, f"held for {held:.2f} s only")
        stage.report.within(held, HOLD + NOTICED, "held for")
        await stage.finish()
    await until(lambda: not _unique_keys(stage), HOLD + NOTICED, "the key goes")


@scenario("T6")
async def requeue_killed(stage: Stage) -> None:
    """`ltq dead requeue` is killed, and connections are cut: none is lost or doubled."""
    await stage.redis()
    count = stage.size(2000, 600)
    keys = await stage.send(count, "raise ValueError", "raise ValueError", "", task="once")
    await _let_die(stage, count)
    kills = 0
    while (left := len(stage.store.dead("once"))) and not stage.report.failures:
        kills += await _kill_requeueing(stage, left - random.randrange(SOME))
        _expect_one_of_each(stage, keys)
    stage.report.note(f"{kills} processes killed")

    await _let_die(stage, count)
    async with Sender(stage, sole.worker) as sender:
        moving = asyncio.create_task(_requeue(stage, sender))
        cuts = 0
        with stage.server.client() as client:
            while not moving.done() and not stage.report.failures:
                cuts += client.client_kill_filter(_type="normal", skipme=True)
                _expect_one_of_each(stage, keys)
                await asyncio.sleep(CUT)
        moving.cancel()  # it has ended, unless something was found to be wrong
        with suppress(asyncio.CancelledError):
            await moving
    stage.report.note(f"{cuts} connections cut")

    stage.run()
    await stage.finish()
    wrong = [key for key in keys if len(stage.tally.starts(key)) != 3]
    stage.report.expect(not wrong, f"not run three times: {some(wrong)}")


async def _race(stage: Stage, rounds: int, keys: int, spread: float) -> dict[str, set[str]]:
    """Let processes race, see `work/race.py`; the ids that stood, for each key."""
    start = time.monotonic() + 2  # by then all are ready
    figures = [f"{figure}" for figure in (start, rounds, keys, spread)]
    racers = [
        stage.process([sys.executable, "race.py", f"{n}", *figures], mortal=True)
        for n in range(RACERS)
    ]
    standing: dict[str, set[str]] = defaultdict(set)
    for racer in racers:
        code = await racer.ended(60)
        stage.report.expect(code == 0, f"a racer ended with code {code}")
        for line in racer.log.read_text().splitlines():
            key, id_ = line.split()
            standing[key].add(id_)
    return standing


async def _released(want: Callable[..., Awaitable[str]], key: str, holder: str) -> float:
    """Send *key* again and again until its message stands instead of *holder*; when."""
    deadline = time.monotonic() + 15
    while await want(key, [""], "") == holder:
        if time.monotonic() > deadline:
            raise StuckError("a unique key is never released")
        await asyncio.sleep(PAUSE)
    return time.monotonic()


def _most_of_a_key(stage: Stage) -> int:
    running: Counter[str] = Counter()
    most = 0
    for line in sorted(stage.tally.lines, key=lambda one: one.at):
        running[line.key.partition("/")[0]] += 1 if line.event == "start" else -1
        most = max(most, *running.values())
    return most


def _unique_keys(stage: Stage) -> list[bytes]:
    with stage.server.client() as client:
        return list(client.scan_iter("ltq:unique:*", count=1000))


def _expect_released(stage: Stage) -> None:
    held = _unique_keys(stage)
    stage.report.expect(not held, f"still held: {some([str(key) for key in held])}")


async def _let_die(stage: Stage, count: int) -> None:
    """Run what waits until all of it is dead."""
    worker = stage.run()
    await until(lambda: len(stage.store.dead("once")) == count, 30, "all are dead letters")
    await worker.stop()


async def _kill_requeueing(stage: Stage, left: int) -> bool:
    """Kill ``ltq dead requeue`` when only *left* letters are left; whether it still ran."""
    command = [LTQ, "dead", "requeue", "chaos:once", "--all"]
    process = stage.process(command, mortal=True)
    with stage.server.client() as client:
        # Without a pause, since it moves several a millisecond.
        while process.code is None and client.zcard("ltq:dead:chaos:once") > left:
            pass
    alive = process.code is None
    process.kill()
    return alive


async def _requeue(stage: Stage, sender: Sender) -> None:
    while letters := await _patiently(lambda: sender.broker.dead_letters("chaos:once")):
        ids = [letter.id for letter in letters[:FEW]]
        await _patiently(lambda: sender.broker.requeue_dead("chaos:once", ids))


async def _patiently(call: Callable[[], Awaitable[Any]]) -> Any:
    while True:
        try:
            return await call()
        except BrokerUnavailableError:
            await asyncio.sleep(PAUSE)


def _expect_one_of_each(stage: Stage, keys: Sequence[str]) -> None:
    """Expect each message in one place: dead, or waiting."""
    with stage.server.client() as client, client.pipeline() as both:
        both.zrange("queue:chaos:once", 0, -1).hvals("ltq:letters:chaos:once")
        waiting, dead = both.execute()
    found = [json.loads(raw)["args"][0] for raw in waiting]
    found += [json.loads(raw)["message"]["args"][0] for raw in dead]
    stage.report.expect(sorted(found) == keys, f"{len(found)} of {len(keys)} messages")
