"""A process that does one thing to a queue again and again, to be killed in the midst of it.

``python -m ltq_core.testing.step_process URL QUEUE STEP NAME`` writes ``ready`` and begins
at a word on its standard input. It writes ``?LABEL`` before a call that stores or settles
that message for good, and ``+LABEL`` or ``-LABEL`` when the call has returned: the message
is there, or gone.
"""

from __future__ import annotations

import asyncio
import sys
import time
from itertools import count
from typing import TYPE_CHECKING

from ltq_core.abilities import DeadLetters
from ltq_core.broker import Broker
from ltq_core.dead_letter import DeadLetter
from ltq_core.testing.lab import label, message

if TYPE_CHECKING:
    from collections.abc import Iterable

COMPETING = 100
"""How many messages a process publishes that competes with others."""


async def publish(broker: Broker, queue: str, names: Iterable[str]) -> None:
    """Publish a message for each of *names*."""
    for name in names:
        say("?", name)
        await broker.publish(message(name, queue))
        say("+", name)


async def ack(broker: Broker, queue: str) -> None:
    """Consume and ack, without end."""
    while True:
        received = await broker.consume(queue)
        say("?", label(received))
        await broker.ack(received)
        say("-", label(received))


async def nack(broker: Broker, queue: str) -> None:
    """Consume and nack, without end; the delay lets each message have its turn."""
    while True:
        received = await broker.consume(queue)
        received.ctx["tries"] = received.ctx.get("tries", 0) + 1
        await broker.nack(received, delay=0.001)


async def bury(broker: Broker, queue: str) -> None:
    """Consume, bury and requeue, without end."""
    assert isinstance(broker, DeadLetters)
    while True:
        received = await broker.consume(queue)
        letter = DeadLetter(received.id, queue, "failed", time.time(), received)
        await broker.bury(received, letter)
        await broker.requeue_dead(queue, [received.id])


async def compete(broker: Broker, queue: str, name: str) -> None:
    """Publish, and meanwhile consume and ack until told to stop."""
    acking = asyncio.create_task(ack(broker, queue))
    await publish(broker, queue, (f"{name}{number:03}" for number in range(COMPETING)))
    await hear()
    acking.cancel()
    await asyncio.wait([acking])
    await broker.close()


async def main(url: str, queue: str, step: str, name: str) -> None:
    """Do *step* to *queue* once told to begin."""
    broker = Broker.from_url(url)
    # Held all the time: when it is back, so is all else that was leased.
    await (broker.size(queue) if step == "compete" else broker.consume(queue))
    print("ready", flush=True)
    await hear()
    steps = {
        "publish": lambda: publish(broker, queue, (f"{name}{number}" for number in count())),
        "ack": lambda: ack(broker, queue),
        "nack": lambda: nack(broker, queue),
        "bury": lambda: bury(broker, queue),
        "compete": lambda: compete(broker, queue, name),
    }
    await steps[step]()


def say(sign: str, name: str) -> None:
    """Write what is known of the message *name*."""
    print(sign + name, flush=True)


async def hear() -> str:
    """The next line of the standard input."""
    return await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
