"""R10 and R11: tasks that raise anything, or end their process."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import raising
from registry import scenario
from report import some
from waiting import until

if TYPE_CHECKING:
    from stage import Stage

CRASHES = 5
"""Deliveries after which a message that kills its worker is given up."""


@scenario("R10")
async def everything_raised(stage: Stage) -> None:
    """Tasks raise all of BaseException: the same process works on, with all its slots."""
    await stage.redis()
    worker = stage.run("tasks:worker", "--concurrency", "20")
    rounds = stage.size(10, 3)
    for name in raising.EXCEPTIONS:
        await stage.send(rounds, f"raise {name}", "", task="once")
        await stage.send(rounds, f"sleep 0.01; raise {name}", "", task="act")
        await stage.send(rounds, f"raise {name}", "", task="plain")
    for ending in ("retry 0", "reject", "raise ValueError"):
        await stage.send(rounds, f"spoil; {ending}", "")
        await stage.send(rounds, f"spoil; {ending}", "", task="once")
    raised, stage.accepted = stage.accepted, []
    await stage.send(100, "sleep 0.05")

    await until(lambda: not _open(stage, raised), 60, f"{len(raised)} messages are settled")
    stage.report.expect(stage.tally.started(raised), "one was dropped without a run")
    stage.report.note(f"{len(raised)} raised, {len(_dead_keys(stage))} dead letters")
    await stage.until_ended()
    await _all_slots_are_free(stage, 20)
    stage.report.expect(worker.code is None, f"the worker ended with code {worker.code}")
    await stage.finish()


@scenario("R11")
async def poison(stage: Stage) -> None:
    """Messages that kill their process are given up, and take no innocent with them."""
    await stage.redis()
    async with stage.keep(2, "--concurrency", "20", mortal=True) as crew:
        await stage.send(100, "sleep 0.5")
        endings = stage.size(("sleep 0.2; exit", "kill"), ("sleep 0.2; exit",))
        poisonous = [key for ending in endings for key in await stage.send(1, ending)]
        await stage.send(100, "sleep 0.5")
        stage.accepted = [key for key in stage.accepted if key not in poisonous]
        await until(lambda: len(stage.store.dead("act")) == len(endings), 120, "poison is dead")
        await stage.until_ended()
        await until(lambda: not stage.store.residue(), 15, "no key is left")
        stage.report.note(f"{crew.restarts} deaths")
    for key in poisonous:
        starts = len(stage.tally.starts(key))
        stage.report.note(f"poison started {starts} times")
        stage.report.expect(starts == CRASHES, f"not {CRASHES} times")
    await stage.finish()


def _open(stage: Stage, keys: list[str]) -> list[str]:
    """Those of *keys* that neither ended nor are dead letters."""
    return sorted(set(stage.tally.lost(keys)) - _dead_keys(stage))


def _dead_keys(stage: Stage) -> set[str]:
    return set().union(*map(stage.store.dead_keys, ("act", "once", "plain")))


async def _all_slots_are_free(stage: Stage, slots: int) -> None:
    at_once = time.monotonic() + 2
    keys = await stage.send(slots, f"until {at_once}")
    await stage.until_ended(keys)
    late = [key for key in keys if stage.tally.starts(key)[0].at > at_once]
    stage.report.expect(not late, f"{len(late)} of {slots} slots are taken: {some(late)}")
