"""Runs a worker inside a test."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from ltq_core.testing import wait_until
from ltq_core.worker import Worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ltq_core.dead_letter import DeadLetter


def memory_url() -> str:
    """A store that no other test uses."""
    return f"memory://{uuid.uuid4().hex}?lease=0.5"


def make_worker(**settings: Any) -> Worker:
    """A worker on a memory store of its own."""
    return Worker("test", broker_url=memory_url(), **settings)


@asynccontextmanager
async def running(worker: Worker, **settings: Any) -> AsyncIterator[asyncio.Task[None]]:
    """*worker* at work; stopped, drained and closed at the end."""
    run = asyncio.create_task(worker.run(**settings))
    try:
        yield run
    finally:
        worker.stop()
        await asyncio.wait_for(run, 20)
        await worker.broker.close()


async def until(condition: Any, description: str) -> None:
    """Wait for *condition*, up to ten seconds."""
    await wait_until(condition, 10, description)


async def drained(worker: Worker) -> None:
    """Wait until nothing waits and nothing runs."""
    broker: Any = worker.broker

    async def idle() -> bool:
        stats = [await broker.stats(queue) for queue in worker.tasks]
        return not any(one.waiting or one.running for one in stats)

    await until(idle, "the queues are drained")


async def letters(worker: Worker) -> list[DeadLetter]:
    """All dead letters of its queues."""
    broker: Any = worker.broker
    return [letter for queue in worker.tasks for letter in await broker.dead_letters(queue)]


def work(worker: Worker, *sends: Any) -> list[DeadLetter]:
    """Send, run until drained, and return the dead letters."""

    async def run() -> list[DeadLetter]:
        async with running(worker):
            for send in sends:
                await send()
            await drained(worker)
            return await letters(worker)

    return asyncio.run(run())
