"""R14 and R15: a backlog of a million, bursts, and messages that nobody announced."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import TYPE_CHECKING

from registry import scenario
from waiting import until

from ltq_core import Broker, Message

if TYPE_CHECKING:
    from stage import Stage

# A message that came without a token is noticed within this many seconds.
UNANNOUNCED = 5.0


@scenario("R15")
async def burst_of_sends(stage: Stage) -> None:
    """2,000 sends in one gather: none is refused."""
    await stage.redis()
    stage.run(), stage.run()
    keys = stage.new_keys(2000)
    await asyncio.gather(*(stage.send_one(key, "") for key in keys))
    await stage.finish()
    refused = len(stage.refused)
    stage.report.expect(not refused, f"{refused} sends were refused")
    stage.report.expect(not stage.tally.restarted(), "one was run more than once")


@scenario("R15")
async def burst_of_ends(stage: Stage) -> None:
    """300 tasks end at one instant: done, retried and rejected."""
    await stage.redis()
    stage.run("tasks:worker", "--concurrency", "300")
    for _ in range(stage.size(3, 1)):
        at_once = time.monotonic() + 2
        for ending in ("", "; retry 0", "; reject"):
            await stage.send(100, f"until {at_once}{ending}", "")
        await stage.until_ended()
    await stage.finish()
    letters, rejects = len(stage.store.dead("act")), stage.tally.count("reject")
    stage.report.note(f"{letters} dead letters")
    stage.report.expect(letters == rejects, f"{letters} dead letters of {rejects} rejects")


@scenario("R15")
async def unannounced(stage: Stage) -> None:
    """A foreign program's message is noticed though another queue never rests."""
    await stage.redis()
    stage.run()
    feeding = asyncio.create_task(
        stage.feed(stage.size(200, 80), stage.size(20, 8), "sleep 0.01")
    )
    await until(lambda: stage.tally.count("done"), 10, "the other queue is busy")
    sender, [key] = stage.tasks["other"], stage.new_keys(1)
    with stage.server.client() as client:
        client.zadd("queue:chaos:other", {sender.message(key, [""]).to_json(): 1})
    put = time.monotonic()
    stage.accepted.append(key)
    started = await stage.until_started([key])
    stage.report.within(started - put, UNANNOUNCED, "noticed in")
    await feeding
    await stage.finish()


@scenario("R14")
async def million_waiting(stage: Stage) -> None:
    """Messages are claimed as fast from a million as from 5,000."""
    await stage.redis()
    many, few = stage.size(1_000_000, 100_000), 5000
    await _fill(stage, "act", many)
    rates: dict[str, list[float]] = {"act": [], "once": []}
    for _ in range(stage.size(25, 3)):  # each takes a twentieth of a second
        for task, measured in rates.items():
            await _fill(stage, task, few)
            measured.append(await _rate(stage, task, few))
    large, small = map(statistics.median, rates.values())
    stage.report.note(f"{large:,.0f}/s of {many:,}, {small:,.0f}/s of {few:,}")
    stage.report.note(f"{large / small:.0%}")
    least = stage.size(0.9, 0.7)
    stage.report.expect(large >= least * small, f"less than {least:.0%}")
    stage.report.sent = many


async def _fill(stage: Stage, task: str, count: int) -> None:
    sender = stage.tasks[task]
    for start in range(0, count, 10_000):
        keys = stage.new_keys(min(10_000, count - start))
        await sender.send_many([sender.message(key, [""]) for key in keys])


async def _rate(stage: Stage, task: str, count: int) -> float:
    """How many messages of *task* are claimed and settled a second, without running them."""
    broker, claimed = Broker.from_url(stage.url), 0
    acks: list[Message] = []
    try:
        began = time.perf_counter()
        while claimed < count:
            acks = await broker.consume_many([f"chaos:{task}"], 100, acks)
            claimed += len(acks)
        await broker.ack_many(acks)
        return claimed / (time.perf_counter() - began)
    finally:
        await broker.close()
