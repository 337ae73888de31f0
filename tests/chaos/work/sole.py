"""A task whose messages are sent with unique keys."""

from __future__ import annotations

import tasks

import ltq

worker = ltq.Worker("chaos")


@worker.task
async def sole(key: str, steps: list[str], group: str) -> None:
    """Do what *steps* say."""
    await tasks.act(key, steps)
