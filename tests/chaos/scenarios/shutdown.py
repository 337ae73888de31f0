"""R5: SIGTERM, once, twice, and with tasks that outlast the grace time."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from registry import scenario
from report import some

if TYPE_CHECKING:
    from stage import Stage

# Beyond the grace time, in seconds: Kubernetes waits 5 s longer than LTQ's default.
MARGIN = 5.0


@scenario("R5")
async def sigterm(stage: Stage) -> None:
    """SIGTERM mid-task: everything that runs finishes, and nothing more is claimed."""
    await stage.redis()
    worker = stage.run("tasks:worker", "--concurrency", "30")
    running = [
        *await stage.send(10, "sleep 2"),
        *await stage.send(10, "sleep 2", task="plain"),
        *await stage.send(1, "block 1", task="other"),
    ]
    waiting = await stage.send(stage.size(500, 100), "sleep 1")
    await stage.until_started(running)

    code = await worker.stop()

    stage.report.expect(code == 0, f"it ended with code {code}")
    started = {line.key for line in stage.tally.lines if line.event == "start"}
    cut = stage.tally.lost(started)
    stage.report.expect(not cut, f"cut: {some(cut)}")
    waits, due = len(set(waiting) - started), len(stage.store.waiting("act"))
    stage.report.expect(waits == due, f"{due} of {waits} messages wait")
    stage.report.expect(not stage.store.held("act"), "processing is not empty")
    stage.run()
    await stage.finish()
    again = stage.tally.restarted()
    stage.report.expect(not again, f"started more than once: {some(again)}")


@scenario("R5")
async def second_signal(stage: Stage) -> None:
    """A second SIGTERM or SIGINT ends the process at once, with 143 or 130."""
    await stage.redis()
    for number, expected in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        for step in ("sleep 600", "block 600"):
            worker = stage.run()
            await stage.until_started(await stage.send(1, step, ""))
            worker.signal(number)
            await stage.until_logged(worker, "finishing what runs")
            began = time.monotonic()
            worker.signal(number)
            code = await worker.ended(5)
            took = time.monotonic() - began
            stage.report.expect(took < 1, f"{number.name} took {took:.1f} s after '{step}'")
            stage.report.expect(code == expected, f"code {code}, not {expected}")
    stage.run()
    await stage.finish()


@scenario("R5")
async def outlasted_grace(stage: Stage) -> None:
    """Async, blocking and plain tasks that outlast the grace time go back at once."""
    await stage.redis()
    grace = stage.size(25.0, 1.5)
    for task, step in (("act", "sleep 600"), ("plain", "sleep 600"), ("other", "block 600")):
        keys = await stage.send(1 if task == "other" else 10, step, "", task=task)
        await _outlast(stage, task, keys, grace)
    stage.run()
    await stage.finish()


async def _outlast(stage: Stage, task: str, keys: list[str], grace: float) -> None:
    before = stage.store.waiting(task)
    worker = stage.run("tasks:worker", "--shutdown-timeout", f"{grace:g}")
    await stage.until_started(keys)
    began = time.monotonic()

    code = await worker.stop(grace)

    stage.report.within(time.monotonic() - began, grace + MARGIN, f"{task} ended in")
    stage.report.expect(code == 0, f"{task} ended with code {code}")
    stage.report.expect(stage.store.waiting(task) == before, f"{task} is not back as it was")
    stage.report.expect(not stage.store.held(task), f"processing of {task} is not empty")
