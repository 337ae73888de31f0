"""R7: Redis fails in every way, and the workers go on by themselves."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from registry import scenario
from stage import LOST

from redis_server import free_port

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from processes import Process
    from stage import Stage

    Fault = Callable[[Stage], Awaitable[float]]
    """Does harm and mends it; returns when that was, on the monotonic clock."""

# Within how many seconds every worker must have started something again.
BACK = 3.0


@scenario("R7")
async def redis_stopped(stage: Stage) -> None:
    """Redis is stopped for 10 s and started again, with AOF."""
    await stage.redis(appendonly="yes")
    await _under_load(stage, _stopped)


@scenario("R7")
async def redis_killed(stage: Stage) -> None:
    """kill -9 of Redis, which writes each command to the disk before it answers."""
    await stage.redis(appendonly="yes", appendfsync="always")
    await _under_load(stage, _killed, times=stage.size(3, 1))


@scenario("R7")
async def redis_read_only(stage: Stage) -> None:
    """Redis becomes a replica of nobody, and a master again."""
    await stage.redis()
    await _under_load(stage, _demoted)


@scenario("R7")
async def redis_refusing(stage: Stage) -> None:
    """Redis refuses to write, since it has fewer replicas than it should."""
    await stage.redis()
    await _under_load(stage, _without_replicas)


@scenario("R7")
async def redis_paused(stage: Stage) -> None:
    """Redis is paused for longer than any call waits."""
    await stage.redis()
    await _under_load(stage, _paused)


@scenario("R7")
async def scripts_flushed(stage: Stage) -> None:
    """SCRIPT FLUSH, ten times a second."""
    await stage.redis()
    await _under_load(stage, _scripts_flushed)


@scenario("R7")
async def redis_flushed(stage: Stage) -> None:
    """FLUSHALL: what stood there is gone, and what comes later is run."""
    stage.allow(LOST)
    await stage.redis()
    workers = [_worker(stage), _worker(stage)]
    for _ in range(stage.size(5, 2)):
        gone = await stage.send(300, "sleep 0.2")
        await stage.until_started(gone[:100])
        with stage.server.client() as client:
            client.flushall()
        flushed = time.monotonic()
        stage.accepted = [key for key in stage.accepted if key not in gone]
        await stage.feed(200, 2, "sleep 0.1")
        await _back_to_work(stage, workers, flushed)
    await stage.finish()


@scenario("R7")
async def redis_late(stage: Stage) -> None:
    """Redis comes up after the workers."""
    server = await stage.redis(start=False)
    workers = [_worker(stage), _worker(stage)]
    for worker in workers:
        await stage.until_logged(worker, "Waiting for the broker")
    await asyncio.sleep(stage.size(10, 2))
    await asyncio.to_thread(server.start)
    up = time.monotonic()
    await stage.send(300, "sleep 0.1")
    await _back_to_work(stage, workers, up)
    await stage.finish()


async def _under_load(stage: Stage, fault: Fault, times: int = 1) -> None:
    """Two busy workers and a producer, while *fault* happens."""
    stage.allow(LOST)
    workers = [_worker(stage), _worker(stage)]
    for _ in range(times):
        backlog = await stage.send(stage.size(2000, 1000), "sleep 0.1")
        feeding = asyncio.create_task(stage.feed(300, 6, "sleep 0.1"))
        await stage.until_started(backlog[:200])
        await _back_to_work(stage, workers, await fault(stage))
        await feeding
    await stage.finish()


async def _back_to_work(stage: Stage, workers: list[Process], mended: float) -> None:
    starts = [await stage.until_start_after(mended, worker) for worker in workers]
    stage.report.within(max(starts) - mended, BACK, "back in")


def _worker(stage: Stage) -> Process:
    return stage.run("tasks:worker", "--concurrency", "10")


async def _stopped(stage: Stage) -> float:
    await asyncio.to_thread(stage.server.stop)
    await asyncio.sleep(stage.size(10, 4))
    await asyncio.to_thread(stage.server.start)
    return time.monotonic()


async def _killed(stage: Stage) -> float:
    await asyncio.to_thread(stage.server.kill)
    await asyncio.to_thread(stage.server.start)
    return time.monotonic()


async def _demoted(stage: Stage) -> float:
    with stage.server.client() as client:
        client.replicaof("127.0.0.1", free_port())
        await asyncio.sleep(stage.size(10, 4))
        client.replicaof("NO", "ONE")
    return time.monotonic()


async def _without_replicas(stage: Stage) -> float:
    with stage.server.client() as client:
        client.config_set("min-replicas-to-write", 1)
        await asyncio.sleep(stage.size(10, 4))
        client.config_set("min-replicas-to-write", 0)
    return time.monotonic()


async def _paused(stage: Stage) -> float:
    with stage.server.client() as client:
        client.client_pause(int(1000 * stage.size(10, 6)))
        await asyncio.to_thread(client.ping)
    return time.monotonic()


async def _scripts_flushed(stage: Stage) -> float:
    with stage.server.client() as client:
        for _ in range(stage.size(60, 20)):
            client.script_flush()
            await asyncio.sleep(0.1)
    return time.monotonic()
