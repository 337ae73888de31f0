"""Facts about consumers that wait: whatever makes a message due wakes one of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ltq_core.testing.lab import A_MOMENT, QUEUE, Lab, label, labels, message
from ltq_core.testing.suite import Conformance, fact

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ltq_core.message import Message


class WakingFacts(Conformance):
    """A consumer that waits hears of each message, however it came into the queue."""

    @fact
    async def test_delayed_publish_wakes_who_waits(self, lab: Lab) -> None:
        """A consumer of an empty queue gets a message that becomes due while it waits."""
        waiting = await lab.still_waits(lab.broker.consume(QUEUE), A_MOMENT)
        await lab.publish("a", delay=0.2)

        assert label(await lab.soon(waiting, "the waiting consume")) == "a"

    @fact
    async def test_nack_wakes_who_waits(self, lab: Lab) -> None:
        """A consumer gets what a run gives back when it does, not when a lease ends."""
        assert await _time_to_hand_over(lab, lab.broker.nack) < lab.lease / 2

    @fact
    async def test_close_wakes_who_waits(self, lab: Lab) -> None:
        """A consumer gets what a worker gives back at its close, not when a lease ends."""
        assert await _time_to_hand_over(lab, lambda _: lab.broker.close()) < lab.lease / 2

    @fact
    async def test_bulk_wakes_as_many_as_it_needs(self, lab: Lab) -> None:
        """Two messages that are published in one call go to two consumers that wait."""
        other = await lab.connect()
        waiting = [
            await lab.still_waits(one.consume(QUEUE), A_MOMENT) for one in (lab.broker, other)
        ]
        await (await lab.connect()).publish_many([message(name) for name in "ab"])
        received = [await lab.soon(one, "a waiting consume") for one in waiting]

        assert sorted(labels(received)) == ["a", "b"]

    @fact
    async def test_consumer_still_hears_after_a_clear(self, lab: Lab) -> None:
        """Clearing a queue forgets nobody who waits for its next message."""
        waiting = await lab.still_waits(lab.broker.consume(QUEUE), A_MOMENT)
        await lab.broker.clear(QUEUE)
        await lab.publish("a", broker=await lab.connect())

        assert label(await lab.soon(waiting, "the waiting consume")) == "a"

    @fact
    async def test_many_queues_are_waited_for(self, lab: Lab) -> None:
        """consume_many hears of a message in any of its queues, were they twenty."""
        queues = [f"kit:queue{number}" for number in range(20)]
        waiting = await lab.still_waits(lab.broker.consume_many(queues, 10), A_MOMENT)
        await lab.publish("a", queue=queues[-1])

        assert labels(await lab.soon(waiting, "the waiting consume_many")) == ["a"]


async def _time_to_hand_over(
    lab: Lab, give_back: Callable[[Message], Awaitable[None]]
) -> float:
    """Seconds until what one worker gives back has come to another, that waits for it.

    The least of three: a loaded machine is no fault of the broker's.
    """
    other = await lab.connect()
    took = []
    for _ in range(3):
        await lab.publish("a")
        received = await lab.consume()
        waiting = await lab.still_waits(other.consume(QUEUE), A_MOMENT)
        start = time.monotonic()
        await give_back(received)
        await other.ack(await lab.soon(waiting, "the waiting consume"))
        took.append(time.monotonic() - start)
    return min(took)
