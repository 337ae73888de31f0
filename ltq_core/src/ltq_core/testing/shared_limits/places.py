"""Facts about places: what may be in flight at once."""

from __future__ import annotations

from ltq_core.abilities import QueueLimits, Rate
from ltq_core.testing.cancelling import Cuts
from ltq_core.testing.dead_letters.letters import bury_or_skip
from ltq_core.testing.lab import QUEUE, Lab, label, labels
from ltq_core.testing.shared_limits.limits import Limited
from ltq_core.testing.suite import fact


class PlaceFacts(Limited):
    """A message takes a place until it ends, and whatever ends it makes room."""

    @fact
    async def test_concurrency_bounds_what_is_in_flight(self, lab: Lab) -> None:
        """No more messages are in flight than the limit; one that ends makes room."""
        worker = await self.worker(lab, QueueLimits(concurrency=2))
        await lab.publish("a", "b", "c")
        first, _ = await lab.consume(worker), await lab.consume(worker)
        waiting = await lab.still_waits(worker.consume(QUEUE))
        await worker.ack(first)

        assert label(await lab.soon(waiting, "the waiting consume")) == "c"

    @fact
    async def test_concurrency_bounds_a_batch(self, lab: Lab) -> None:
        """consume_many does not lease beyond the limit either."""
        worker = await self.worker(lab, QueueLimits(concurrency=2))
        await lab.publish(*"abcde")
        got = await lab.soon(worker.consume_many([QUEUE], 10), "consume_many")
        if len(got) < 2:
            got += await lab.soon(worker.consume_many([QUEUE], 10), "consume_many")

        assert labels(got) == ["a", "b"]
        await lab.still_waits(worker.consume_many([QUEUE], 10))

    @fact
    async def test_concurrency_counts_for_all_workers(self, lab: Lab) -> None:
        """What one worker has in flight counts for the others, and makes room for them."""
        limits = QueueLimits(concurrency=1)
        first, second = await self.worker(lab, limits), await self.worker(lab, limits)
        await lab.publish("a", "b")
        held = await lab.consume(first)
        waiting = await lab.still_waits(second.consume(QUEUE))
        await first.ack(held)

        assert label(await lab.soon(waiting, "the waiting consume")) == "b"

    @fact
    async def test_rate_and_concurrency_hold_together(self, lab: Lab) -> None:
        """Where both are set, a message waits for a place though its slot has come."""
        worker = await self.worker(lab, QueueLimits(Rate(interval=0.02), concurrency=1))
        await lab.publish("a", "b")
        held = await lab.consume(worker)
        waiting = await lab.still_waits(worker.consume(QUEUE))
        await worker.ack(held)

        assert label(await lab.soon(waiting, "the waiting consume")) == "b"

    @fact
    async def test_ack_in_a_claim_makes_room(self, lab: Lab) -> None:
        """A place that the acks of consume_many free may be taken by the same call."""
        worker = await self.worker(lab, QueueLimits(concurrency=1))
        await lab.publish("a", "b")
        acks = await lab.soon(worker.consume_many([QUEUE], 1), "consume_many")
        got = await lab.soon(worker.consume_many([QUEUE], 1, acks), "consume_many")

        assert labels(got) == ["b"]

    @fact
    async def test_burial_makes_room(self, lab: Lab) -> None:
        """A message that was buried is no longer in flight, where the dead are kept."""
        worker = await self.worker(lab, QueueLimits(concurrency=1))
        await lab.publish("a", "b")
        await bury_or_skip(worker, await lab.consume(worker))

        assert await lab.take(1, worker) == ["b"]

    @fact
    async def test_clear_makes_no_room(self, lab: Lab) -> None:
        """What is in flight while its queue is cleared still takes its place."""
        worker = await self.worker(lab, QueueLimits(concurrency=1))
        await lab.publish("a", "b")
        held = await lab.consume(worker)
        await lab.broker.clear(QUEUE)
        await lab.publish("c")
        waiting = await lab.still_waits(worker.consume(QUEUE))
        await worker.ack(held)

        assert label(await lab.soon(waiting, "the waiting consume")) == "c"

    @fact
    async def test_cancelled_claim_takes_no_place(self, lab: Lab) -> None:
        """A consumer that is cancelled at any moment of its claim keeps no place."""
        worker = await self.worker(lab, QueueLimits(concurrency=1))
        cuts, names = Cuts(), Cuts.names
        await lab.publish(*names)
        taken = []
        for _ in names:
            if (received := await cuts.cut(worker.consume(QUEUE))) is not None:
                taken.append(label(received))
                await worker.ack(received)
        taken += await lab.take(len(names) - len(taken), worker)

        assert sorted(taken) == names

    @fact
    async def test_nack_makes_room(self, lab: Lab) -> None:
        """A message that is retried or dropped is no longer in flight."""
        worker = await self.worker(lab, QueueLimits(concurrency=1))
        await lab.publish("a", "b", "c")
        await worker.nack(await lab.consume(worker), delay=3600)
        await worker.nack(await lab.consume(worker), drop=True)

        assert await lab.take(1, worker) == ["c"]

    @fact
    async def test_closing_makes_room(self, lab: Lab) -> None:
        """The share of a worker that leaves goes to the others at once."""
        limits = QueueLimits(concurrency=1)
        first, second = await self.worker(lab, limits), await self.worker(lab, limits)
        await lab.publish("a", "b")
        await lab.consume(first)
        waiting = await lab.still_waits(second.consume(QUEUE))
        await first.close()

        assert label(await lab.soon(waiting, "the waiting consume")) == "a"

    @fact
    async def test_share_of_a_dead_worker_comes_back(self, lab: Lab) -> None:
        """When a worker died, its places are free once its lease has ended."""
        limits = QueueLimits(concurrency=2)
        victim = await lab.peer()
        await victim.do(lambda broker: self.of(broker).set_limits(QUEUE, limits))
        await lab.publish("a", "b")
        await lab.soon(victim.hold(QUEUE, 2), "consume() of a second connection")
        await lab.crash(victim)
        worker = await self.worker(lab, limits)
        await lab.publish("c", "d")
        await lab.consume(worker, within=lab.takeover)

        await lab.consume(worker)
