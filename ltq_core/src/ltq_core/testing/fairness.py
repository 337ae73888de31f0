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


async def wait_beside_a_busy_queue(lab: Lab, worker: Broker, limit: int) -> float:
    """How long *worker* let a message of OTHER wait at most, while QUEUE was never empty."""
    await lab.broker.publish_many([message("busy") for _ in range(BACKLOG)])
    waits = [await _wait_for_other(lab, worker, limit) for _ in range(3)]
    await lab.broker.clear(QUEUE)
    return max(waits)


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
