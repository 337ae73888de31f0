"""R1 and R2: workers die, and others take their work over."""

from __future__ import annotations

import asyncio
import random
import time

from registry import scenario
from stage import LEASE, Stage


@scenario("R1")
async def kill_workers(stage: Stage) -> None:
    """kill -9 of a random worker every second, under load."""
    await stage.redis()
    size, count, seconds = stage.size((4, 5000, 30.0), (2, 800, 8.0))
    async with stage.keep(size, "--concurrency", "20") as crew:
        feeding = asyncio.create_task(stage.feed(count, seconds, "sleep 0.05", "sleep 0.2"))
        began, kills = time.monotonic(), 0
        while not feeding.done():
            await asyncio.sleep(1)
            if crew.living:
                random.choice(crew.living).kill()
                kills += 1
        await feeding
        stage.report.note(f"{kills} kills in {time.monotonic() - began:.0f} s")
    await stage.finish()


@scenario("R2")
async def takeover_silent(stage: Stage) -> None:
    """The work of a dead worker is taken over with no traffic at all."""
    await stage.redis()
    doomed = stage.run()
    [key] = await stage.send(1, "sleep 600", "")
    await stage.until_started([key])
    heir = stage.run()
    await stage.until_logged(heir, "Plugins")
    await asyncio.sleep(LEASE)

    doomed.kill()
    killed = time.monotonic()

    await stage.until_started([key], times=2)
    stage.report.within(stage.tally.starts(key)[1].at - killed, 1.5 * LEASE, "taken over in")
    await stage.finish()


@scenario("R2")
async def takeover_backlog(stage: Stage) -> None:
    """What a dead worker held keeps its place before a backlog."""
    await stage.redis()
    doomed = stage.run("tasks:worker", "--concurrency", "10")
    held = await stage.send(10, "sleep 600", "")
    await stage.until_started(held)
    backlog = await stage.send(stage.size(950, 350), "sleep 0.1")
    stage.run("tasks:worker", "--concurrency", "5")
    await stage.until_started(backlog[:20])

    doomed.kill()
    killed = time.monotonic()

    await stage.until_started(held, times=2)
    again = max(stage.tally.starts(key)[1].at for key in held)
    stage.report.within(again - killed, 1.5 * LEASE, "taken over in")
    stage.report.expect(not stage.tally.started(backlog), "the backlog had ended before")
    await stage.finish()
