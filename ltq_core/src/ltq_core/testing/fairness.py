"""Whether a consumer of two queues serves both, though one of them is never empty."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ltq_core.testing.lab import OTHER, QUEUE, Lab, message

if TYPE_CHECKING:
    from ltq_core.broker import Broker
    from ltq_core.message import Message

BACKLOG = 300
"""More than a broker is likely to lease in one call: what is in store is no end of it."""

SERVED = 3.0
"""Seconds within which the other queue is served: two, and one for a machine under load."""


async def assert_both_are_served(
    lab: Lab, worker: Broker, limit: int, besides: str = ""
) -> None:
    """Fail if *worker* lets a message of OTHER wait too long while QUEUE is never empty."""
    await lab.broker.publish_many([message("busy") for _ in range(BACKLOG)])
    for _ in range(3):
        waited = await _wait_for_other(lab, worker, limit)
        assert waited < SERVED, f"consume_many with a limit of {limit}{besides}"
    await lab.broker.clear(QUEUE)


async def _wait_for_other(lab: Lab, worker: Broker, limit: int) -> float:
    await lab.publish("other", queue=OTHER)
    got: list[Message] = []
    start, waited = time.monotonic(), 0.0
    while waited < SERVED and all(each.task_name == QUEUE for each in got):
        call = worker.consume_many([QUEUE, OTHER], limit, got)
        got = await lab.soon(call, "consume_many")
        waited = time.monotonic() - start
        await lab.broker.publish_many([message("busy") for _ in got])
    await worker.ack_many(got)
    return waited
