"""Facts about what a connection takes, and leaves when it is closed."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from ltq_core.message import Delivery, Message
from ltq_core.testing.cancelling import cut, in_time
from ltq_core.testing.lab import A_MOMENT, OTHER, QUEUE, Lab
from ltq_core.testing.suite import Conformance, fact
from ltq_core.testing.waiting import wait_until

if TYPE_CHECKING:
    from ltq_core.broker import Broker

LIVES = 20
"""How many connections live and are closed, each of which must leave no descriptor."""

ENDED = 50
"""How many pairs of messages end. What goes on in other threads counts for less than that."""


class ResourceFacts(Conformance):
    """A closed connection leaves nothing in its process, a message that ended neither."""

    @fact
    async def test_closing_ends_all_tasks(self, lab: Lab) -> None:
        """No task that a connection started is left when it is closed."""
        before = asyncio.all_tasks()
        worker = await lab.connect()
        await _live(lab, worker)

        def left() -> list[str]:
            return [repr(task.get_coro()) for task in asyncio.all_tasks() - before]

        await wait_until(lambda: not left(), lab.patience, "all tasks ended")

    @fact
    async def test_closing_releases_descriptors(self, lab: Lab) -> None:
        """Connections that were used and closed leave no files or sockets open."""
        await _live(lab, await lab.make())
        before = _descriptors()
        for _ in range(LIVES):
            await _live(lab, await lab.make())

        await wait_until(
            lambda: _descriptors() < before + LIVES,
            lab.patience,
            f"{LIVES} closed connections keep fewer than {LIVES} descriptors",
        )

    @fact
    async def test_ended_messages_are_forgotten(self, lab: Lab) -> None:
        """A connection keeps no object for each message that it published, or that ended."""
        await _round_trip(lab, "first")
        before = _messages()
        for number in range(ENDED):
            await _round_trip(lab, f"{number}")

        assert _messages() < before + ENDED, "as many are kept as have ended"

    @fact
    async def test_closing_ends_all_threads(self, lab: Lab) -> None:
        """No thread that a connection started is left when it is closed."""
        before = set(threading.enumerate())
        worker = await lab.connect()
        await lab.publish("a", broker=worker)
        await lab.take(1, worker)
        await worker.close()

        await wait_until(lambda: not _left(before), lab.patience, "all threads ended")


async def _live(lab: Lab, broker: Broker) -> None:
    """What a connection does in its life, its close included."""
    await lab.publish("a", "b", broker=broker)
    await lab.take(1, broker)
    await broker.nack(await lab.consume(broker), drop=True)
    waiting = await lab.still_waits(broker.consume_many([QUEUE, OTHER], 2), A_MOMENT)
    await cut(waiting)
    await broker.close()


async def _round_trip(lab: Lab, name: str) -> None:
    await lab.publish(name, f"dropped {name}")
    await lab.broker.ack(await _consume(lab))
    await lab.broker.nack(await _consume(lab), drop=True)


async def _consume(lab: Lab) -> Message:
    # Not by the lab, which keeps the calls that it made, and what they returned.
    call = asyncio.ensure_future(lab.broker.consume(QUEUE))
    return await in_time(call, lab.patience, "consume()")


def _descriptors() -> int:
    """How many files and sockets this process has open."""
    count = 0
    for number in range(1024):
        with suppress(OSError):
            os.fstat(number)
            count += 1
    return count


def _messages() -> int:
    """How many messages and deliveries this process keeps alive."""
    gc.collect()
    return sum(isinstance(each, (Message, Delivery)) for each in gc.get_objects())


def _left(before: set[threading.Thread]) -> list[threading.Thread]:
    # Those of the event loop's own executor end with it.
    return [
        thread
        for thread in set(threading.enumerate()) - before
        if not thread.name.startswith("asyncio_")
    ]
