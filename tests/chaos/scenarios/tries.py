"""T7: failed runs are counted exactly, timeouts are runs that failed, and age has an end."""

from __future__ import annotations

import asyncio
import json
import random
from collections import defaultdict
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

import trying
from processes import Keeper
from registry import scenario
from report import some
from sender import Sender
from waiting import until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stage import Stage

FAILURES = (0, 1, trying.TRIES - 1, 99)
"""In how many attempts each fourth message fails."""

# What a retry may take beyond its backoff, in seconds.
PROMPT = 1.0


@scenario("T7")
async def tries_killed(stage: Stage) -> None:
    """Messages fail in 0, 1, 4 or all attempts, while workers are killed."""
    await stage.redis()
    async with Sender(stage, trying.worker) as sender:
        count, kills = stage.size((2000, 20), (400, 4))
        groups = [str(failures) for failures in FAILURES]
        keys = await sender.send("failing", count, "", groups=groups)
        hopeless = keys[-1 + len(FAILURES) :: len(FAILURES)]
        stage.accepted = [key for key in keys if key not in set(hopeless)]
        async with Keeper(lambda: stage.run("trying:worker", "--concurrency", "10"), 3) as crew:
            for _ in range(kills):
                await asyncio.sleep(random.uniform(0.5, 1.5))
                random.choice(crew.living).kill()
            stage.report.note(f"{kills} kills")
            await stage.until_ended()
            await until(lambda: not stage.store.residue(), 60, "all have ended")
        await stage.finish()
    _expect_letters(stage, "failing", hopeless, "tries_exhausted", trying.TRIES)
    for number, failures in enumerate(FAILURES):
        _expect_attempts(stage, keys[number :: len(FAILURES)], failures)


@scenario("T7")
async def timeouts(stage: Stage) -> None:
    """A run that takes too long is a try that failed; the next comes after the backoff."""
    await stage.redis()
    async with Sender(stage, trying.worker) as sender:
        good = await sender.send("hasty", stage.size(100, 30), "sleep 600", "")
        bad = await sender.send("hasty", stage.size(100, 30), "sleep 600")
        stage.accepted = list(good)
        stage.run("trying:worker", "--concurrency", "300")
        await until(lambda: len(stage.store.dead("hasty")) == len(bad), 30, "the bad ones die")
        await stage.finish()
    _expect_letters(stage, "hasty", bad, "tries_exhausted", trying.TIMEOUT_TRIES)
    waits = [b.at - a.at for key in good + bad for a, b in pairwise(stage.tally.starts(key))]
    right = trying.TIMEOUT + trying.BACKOFF
    stage.report.note(f"again after {min(waits):.2f} to {max(waits):.2f} s")
    stage.report.expect(len(waits) == len(good + bad), f"{len(waits)} second runs")
    stage.report.expect(min(waits) >= right - 0.01, "a run was cut, or repeated, too early")
    stage.report.expect(max(waits) <= right + PROMPT, "a run was cut, or repeated, too late")


@scenario("T7")
async def max_age(stage: Stage) -> None:
    """What nobody ran in time expires unrun, counted from its due time; requeued it runs."""
    await stage.redis()
    async with Sender(stage, trying.worker) as sender:
        old = await sender.send("fresh", 50, "")
        late = await sender.send("fresh", 50, "", delay=trying.MAX_AGE)
        await asyncio.sleep(trying.MAX_AGE + 0.5)
        stage.run("trying:worker")
        await stage.until_ended(late)
        await until(lambda: len(stage.store.dead("fresh")) == len(old), 15, "the old expire")
        started = [key for key in old if stage.tally.starts(key)]
        stage.report.expect(not started, f"run though too old: {some(started)}")
        _expect_letters(stage, "fresh", old, "expired", tries=0)
        letters = await sender.broker.dead_letters("chaos:fresh")
        moved = await sender.broker.requeue_dead("chaos:fresh", [one.id for one in letters])
        stage.report.expect(moved == len(old), f"{moved} requeued")
        await stage.finish()


def _expect_letters(
    stage: Stage, task: str, keys: Sequence[str], reason: str, tries: int
) -> None:
    """Expect a dead letter for each of *keys*, and no other, with these figures."""
    letters: list[dict[str, Any]] = [json.loads(raw) for raw in stage.store.dead(task)]
    dead = sorted(letter["message"]["args"][0] for letter in letters)
    stage.report.note(f"{len(dead)} dead letters")
    stage.report.expect(dead == sorted(keys), "dead letters are not what they should be")
    figures = {(letter["reason"], letter["tries"]) for letter in letters}
    stage.report.expect(figures == {(reason, tries)}, f"dead by {figures}")


def _expect_attempts(stage: Stage, keys: Sequence[str], failures: int) -> None:
    """Expect the attempts of each message: 1, 2, … one by one, and no more than it may have.

    A run that was killed is repeated under its number.
    """
    last = min(failures + 1, trying.TRIES)
    attempts: dict[str, list[int]] = defaultdict(list)
    for line in sorted(stage.tally.lines, key=lambda one: one.at):
        if line.event.startswith("attempt-"):
            attempts[line.key].append(int(line.event.partition("-")[2]))
    right = list(range(1, last + 1))
    wrong = [key for key in keys if [number for number, _ in groupby(attempts[key])] != right]
    stage.report.expect(not wrong, f"attempts miscounted of {some(wrong)}")
