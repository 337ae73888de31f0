"""A process that consumes one message and holds it: what the kit kills and freezes.

``python -m ltq_core.testing.worker_process URL QUEUE`` writes ``held LABEL`` when it has
the message. It then obeys one word on its standard input, ``ack`` or ``nack``, and writes
``done`` or ``lost``.
"""

from __future__ import annotations

import asyncio
import sys

from ltq_core.broker import Broker
from ltq_core.errors import LeaseLostError


async def main(url: str, queue: str) -> None:
    """Hold one message of *queue* until told what to do with it."""
    broker = Broker.from_url(url)
    message = await broker.consume(queue)
    print("held", message.args[0], flush=True)
    word = await asyncio.to_thread(sys.stdin.readline)
    try:
        await (broker.ack(message) if word.strip() == "ack" else broker.nack(message))
        print("done", flush=True)
    except LeaseLostError:
        print("lost", flush=True)
    await broker.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
