"""R6 and R8: connections that break all the time, and a Redis whose memory is full."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from registry import scenario
from stage import LOST

from ltq_core import BrokerUnavailableError

if TYPE_CHECKING:
    from stage import Stage

MIXED = (
    "sleep 0.05",
    ["sleep 0.05; retry 0.2", "sleep 0.01"],
    ["retry 0", "retry 0", ""],
    ["raise ValueError", ""],
    "sleep 0.05; reject",
)
"""Plans of which each fifth message is a reject."""


@scenario("R6")
async def connections_killed(stage: Stage) -> None:
    """Every connection is killed every 0.15 s, while messages are retried and rejected."""
    stage.allow(LOST)
    await stage.redis()
    for _ in range(2):
        stage.run("tasks:worker", "--concurrency", "20")
    count, seconds = stage.size((4000, 20.0), (800, 6.0))
    feeding = asyncio.create_task(stage.feed(count, seconds, *MIXED))
    kills = 0
    with stage.server.client() as client:
        while not feeding.done():
            kills += client.client_kill_filter(_type="normal", skipme=True)
            await asyncio.sleep(0.15)
    await feeding
    stage.report.note(f"{kills} connections killed")
    await stage.finish()
    _count_letters(stage)


@scenario("R8")
async def memory_full(stage: Stage) -> None:
    """Memory is full: sends raise, and the workers drain what there is."""
    await stage.redis()
    doomed = stage.run("tasks:worker", "--concurrency", "20")
    held = await stage.send(20, "sleep 600", "")
    await stage.until_started(held)
    for plan in MIXED:
        await stage.send(396, *([plan] if isinstance(plan, str) else plan))
    with stage.server.client() as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1mb")

    doomed.kill()
    for _ in range(2):
        stage.run("tasks:worker", "--concurrency", "20")
    try:
        await stage.tasks["act"].send("too-much", [""])
    except BrokerUnavailableError as error:
        stage.report.expect("memory" in str(error), f"send did not say why: {error}")
    else:
        stage.report.expect(False, "send did not raise")

    await stage.finish()
    _count_letters(stage)


def _count_letters(stage: Stage) -> None:
    rejected, buried = stage.tally.keys_of("reject"), stage.store.dead_keys("act")
    stage.report.note(f"{len(buried)} dead letters of {len(rejected)} rejected")
    stage.report.expect(buried == rejected, "dead letters are not what was rejected")
