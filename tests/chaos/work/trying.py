"""Tasks that fail, take too long, or come too late."""

from __future__ import annotations

import asyncio

import logbook
import tasks

import ltq

TRIES, BACKOFF = 5, 0.05
TIMEOUT, TIMEOUT_TRIES = 0.3, 2
MAX_AGE = 2.0

worker = ltq.Worker("chaos")


@worker.task(max_tries=TRIES, backoff=BACKOFF)
async def failing(key: str, steps: list[str], group: str) -> None:
    """Fail in the first attempts, as many as *group* says, and write down which one it is."""
    attempt = ltq.current_message().attempt
    with logbook.Logged(key, steps):
        logbook.note(f"attempt-{attempt}", key)
        await asyncio.sleep(0.05)
        if attempt <= int(group):
            raise ValueError(f"attempt {attempt} fails")


@worker.task(max_tries=TIMEOUT_TRIES, backoff=BACKOFF, timeout=TIMEOUT)
async def hasty(key: str, steps: list[str], group: str) -> None:
    """Take no longer than the timeout."""
    await tasks.act(key, steps)


@worker.task(max_age=MAX_AGE)
async def fresh(key: str, steps: list[str], group: str) -> None:
    """Run soon or never."""
    await tasks.act(key, steps)
