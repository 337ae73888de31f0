"""Facts about limits that count by key."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ltq_core.abilities import QueueLimits, Rate
from ltq_core.testing.lab import CLOCKS, QUEUE, Lab, label, labels, message
from ltq_core.testing.shared_limits.limits import SLOW, SOON, SPACED, Limited
from ltq_core.testing.suite import fact

if TYPE_CHECKING:
    from ltq_core.broker import Broker
    from ltq_core.message import Message


class KeyFacts(Limited):
    """Each value of a key has slots and places of its own."""

    @fact
    async def test_keyed_rate_counts_by_key(self, lab: Lab) -> None:
        """With a key, each of its values has slots of its own."""
        worker = await self.worker(lab, QueueLimits(SLOW, rate_keyed=True))
        for name in ("a1", "a2", "b1", "b2"):
            await lab.broker.publish(message(name, rate_key=name[0]))

        assert sorted(await lab.take(2, worker)) == ["a1", "b1"]
        await lab.still_waits(worker.consume(QUEUE))

    @fact
    async def test_messages_without_a_key_have_one_limit(self, lab: Lab) -> None:
        """Messages without a key are handed out, and share slots and places of their own."""
        limits = QueueLimits(SLOW, 1, rate_keyed=True, concurrency_keyed=True)
        worker = await self.worker(lab, limits)
        await lab.publish("a", "b")
        await lab.publish("keyed", rate_key="k", concurrency_key="k")
        got = [await lab.consume(worker), await lab.consume(worker)]

        assert sorted(labels(got)) == ["a", "keyed"]
        await lab.still_waits(worker.consume(QUEUE))

    @fact
    async def test_keyed_rate_keeps_the_order_of_a_key(self, lab: Lab) -> None:
        """Messages of one key wait for their slots in their order."""
        limits = QueueLimits(Rate(interval=0.05), rate_keyed=True)
        worker = await self.worker(lab, limits)
        for name in ("a1", "a2", "a3", "a4", "b1"):
            await lab.broker.publish(message(name, rate_key=name[0]))
        taken = await lab.take(5, worker)

        assert [name for name in taken if name != "b1"] == ["a1", "a2", "a3", "a4"]

    @fact
    async def test_keyed_concurrency_counts_by_key(self, lab: Lab) -> None:
        """With a key, each of its values has places of its own, in order."""
        limits = QueueLimits(concurrency=1, concurrency_keyed=True)
        worker = await self.worker(lab, limits)
        for name in ("a1", "a2", "a3", "b1"):
            await lab.broker.publish(message(name, concurrency_key=name[0]))
        held = [await lab.consume(worker), await lab.consume(worker)]
        waiting = await lab.still_waits(worker.consume(QUEUE))
        await worker.ack(held[0])

        assert labels(held) == ["a1", "b1"]
        assert label(await lab.soon(waiting, "the waiting consume")) == "a2"

    @fact
    async def test_keyed_concurrency_keeps_the_order_of_a_key(self, lab: Lab) -> None:
        """Messages that wait for a place of their key get it in their order."""
        limits = QueueLimits(concurrency=1, concurrency_keyed=True)
        worker = await self.worker(lab, limits)
        names = [f"a{number:02}" for number in range(40)]
        await lab.broker.publish_many([message(name, concurrency_key="a") for name in names])

        assert await self._work(lab, worker, len(names)) == names

    @fact
    async def test_keyed_rate_and_concurrency_hold_together(self, lab: Lab) -> None:
        """A message that waited for a place of its key waits for a slot of it too."""
        rate = Rate(interval=0.05)
        limits = QueueLimits(rate, 1, rate_keyed=True, concurrency_keyed=True)
        worker = await self.worker(lab, limits)
        await lab.publish(*"abcdefghij", rate_key="k", concurrency_key="k")
        start = time.monotonic()

        assert await self._work(lab, worker, 10) == list("abcdefghij")
        assert time.monotonic() - start >= 9 * rate.interval - 2 * CLOCKS

    async def _work(self, lab: Lab, worker: Broker, count: int) -> list[str]:
        """Claim and settle as a worker does, with room for ten."""
        found: list[str] = []
        acks: list[Message] = []
        while len(found) < count:
            acks = await lab.soon(worker.consume_many([QUEUE], 10, acks), "consume_many")
            found += labels(acks)
        await worker.ack_many(acks)
        return found

    @fact
    async def test_free_place_goes_to_who_waited_for_a_slot(self, lab: Lab) -> None:
        """With a rate for each key and places for all, an end lets the next one start."""
        worker = await self.worker(lab, QueueLimits(SPACED, 1, rate_keyed=True))
        await lab.publish(*"abcd", rate_key="k")
        held = [await lab.consume(worker)]
        waiting = await lab.still_waits(worker.consume(QUEUE), 2 * SPACED.interval)
        for _ in "bcd":
            await worker.ack(held[-1])
            held.append(await lab.soon(waiting, "the waiting consume", SOON))
            waiting = lab.start(worker.consume(QUEUE))

        assert labels(held) == list("abcd")
