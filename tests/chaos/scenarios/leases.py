"""R3 and R4: leases of the living hold, and those who lost theirs can do no harm."""

from __future__ import annotations

import signal

from registry import scenario
from report import some
from stage import LEASE, LOST, Stage
from waiting import until


@scenario("R3")
async def long_tasks(stage: Stage) -> None:
    """Tasks of four leases: async, blocking the event loop, and plain."""
    await stage.redis()
    for _ in range(3):
        stage.run()
    others = await stage.send(5, f"sleep {4 * LEASE}")
    others += await stage.send(5, f"sleep {4 * LEASE}", task="plain")
    await stage.until_started(others)
    await stage.send(stage.size(2, 1), f"block {4 * LEASE}")

    await stage.finish()

    again = stage.tally.restarted()
    stage.report.note(f"{stage.tally.count('start')} starts")
    stage.report.expect(not again, f"started more than once: {some(again)}")


@scenario("R4")
async def frozen_worker(stage: Stage) -> None:
    """SIGSTOP past the lease, SIGCONT: it settles in every way what another holds now."""
    stage.allow(LOST)
    await stage.redis()
    frozen = stage.run()
    for ending in ("", "; retry 0", "; reject"):
        await stage.send(stage.size(20, 5), f"sleep 4{ending}", "sleep 600", "")
    keys = list(stage.accepted)
    await stage.until_started(keys)

    frozen.signal(signal.SIGSTOP)
    heir = stage.run()
    await stage.until_started(keys, times=2)
    frozen.signal(signal.SIGCONT)
    await until(lambda: _ends_in(stage, frozen.pid) == len(keys), 15, "the frozen runs end")
    await stage.until_logged(frozen, "could not be")

    held = stage.store.held("act")
    stage.report.expect(held == len(keys), f"the heir holds {held} of {len(keys)} messages")
    stage.report.expect(not stage.tally.started(keys[:1], 3), "the frozen one requeued")
    heir.kill()
    await stage.until_started(keys, times=3)
    await stage.finish()
    stage.report.expect(not stage.store.dead("act"), "the frozen one made dead letters")


@scenario("R4")
async def frozen_alone(stage: Stage) -> None:
    """A thawed worker gets its own messages again, while the first runs still go on."""
    stage.allow(LOST)
    await stage.redis()
    stage.run("tasks:worker", "--concurrency", "1")
    busy = await stage.send(1, "sleep 14")
    await stage.until_started(busy)
    frozen = stage.run("tasks:worker", "--concurrency", "20")
    keys = await stage.send(10, "sleep 10", "sleep 8")
    await stage.until_started(keys)

    frozen.signal(signal.SIGSTOP)
    await until(lambda: stage.store.held("act") == 1, 10, "its messages wait again")
    frozen.signal(signal.SIGCONT)

    await stage.until_started(keys, times=2)
    await stage.finish()
    third = [key for key in keys if len(stage.tally.starts(key)) > 2]
    stage.report.expect(not third, f"started three times: {some(third)}")


def _ends_in(stage: Stage, pid: int) -> int:
    stage.tally.read()
    return sum(line.pid == pid and line.event != "start" for line in stage.tally.lines)
