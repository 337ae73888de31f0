"""Tasks with limits for all workers together, and one without beside them."""

from __future__ import annotations

import tasks

import ltq

worker = ltq.Worker("chaos")


@worker.task(max_rate="200/s")
async def rated(key: str, steps: list[str], group: str) -> None:
    """At most 200 a second."""
    await tasks.act(key, steps)


@worker.task(max_rate="100/s;burst=20")
async def bursting(key: str, steps: list[str], group: str) -> None:
    """At most 100 a second, and 20 at once after a pause."""
    await tasks.act(key, steps)


@worker.task(max_rate="50/s", rate_key="group")
async def rated_each(key: str, steps: list[str], group: str) -> None:
    """At most 50 a second of each group."""
    await tasks.act(key, steps)


@worker.task(max_concurrency=5)
async def five(key: str, steps: list[str], group: str) -> None:
    """At most five at once."""
    await tasks.act(key, steps)


@worker.task(max_concurrency=2, concurrency_key="group")
async def two_each(key: str, steps: list[str], group: str) -> None:
    """At most two at once of each group."""
    await tasks.act(key, steps)


@worker.task
async def free(key: str, steps: list[str], group: str) -> None:
    """As many as there are slots."""
    await tasks.act(key, steps)
