"""Facts about queues with limits beside others."""

from __future__ import annotations

from itertools import product

from ltq_core.abilities import QueueLimits, Rate
from ltq_core.testing.fairness import assert_both_are_served
from ltq_core.testing.lab import OTHER, QUEUE, Lab, labels
from ltq_core.testing.shared_limits.limits import QUICK, SLOW, Limited
from ltq_core.testing.suite import fact


class LimitedQueueFacts(Limited):
    """A limit belongs to its queue, and holds up no other."""

    @fact
    async def test_each_queue_has_slots_of_its_own(self, lab: Lab) -> None:
        """A slot that one queue used, or a place, is not missing in another."""
        worker = await self.worker(lab, QueueLimits(SLOW, concurrency=1))
        await self.of(worker).set_limits(OTHER, QueueLimits(SLOW, concurrency=1))
        await lab.publish("a")
        await lab.publish("b", queue=OTHER)
        got = [await lab.consume(worker), await lab.consume(worker, OTHER)]

        assert labels(got) == ["a", "b"]

    @fact
    async def test_limited_queue_hinders_no_other(self, lab: Lab) -> None:
        """A claim over several queues gets the messages of those that are not limited."""
        worker = await self.worker(lab, QueueLimits(SLOW))
        await lab.publish("a", "b")
        await lab.take(1, worker)
        await lab.publish(*"cdefg", queue=OTHER)
        seen: list[str] = []
        while len(seen) < 5:
            seen += labels(
                await lab.soon(worker.consume_many([QUEUE, OTHER], 1), "consume_many")
            )

        assert seen == list("cdefg")

    @fact
    async def test_busy_limited_queue_starves_no_other(self, lab: Lab) -> None:
        """Another queue is served within two seconds, though a limited one is never empty."""
        busy = (QueueLimits(QUICK), QueueLimits(Rate(0.001)), QueueLimits(concurrency=1))
        for limits, limit in product(busy, (1, 10)):
            worker = await self.worker(lab, limits)
            await assert_both_are_served(lab, worker, limit, f", and {limits}")
            await worker.close()

    @fact
    async def test_limited_queue_is_starved_by_no_other(self, lab: Lab) -> None:
        """A limited queue is served within two seconds, though one without limits is busy."""
        worker = await lab.connect()
        await self.of(worker).set_limits(OTHER, QueueLimits(QUICK))
        for limit in (1, 10):
            await assert_both_are_served(lab, worker, limit)

    @fact
    async def test_limits_can_be_lifted(self, lab: Lab) -> None:
        """The limits that were set last count."""
        worker = await self.worker(lab, QueueLimits(SLOW, concurrency=1))
        await self.of(worker).set_limits(QUEUE, QueueLimits())
        await lab.publish(*"abcd")

        assert await lab.take(4, worker) == list("abcd")

    @fact
    async def test_lifted_limits_hold_nobody_back(self, lab: Lab) -> None:
        """What waited for a slot or a place is handed out once there is no limit any more."""
        limits = QueueLimits(SLOW, 1, rate_keyed=True, concurrency_keyed=True)
        worker = await self.worker(lab, limits)
        await lab.publish(*"abc", rate_key="one", concurrency_key="one")
        await lab.publish("d", rate_key="two", concurrency_key="one")
        await lab.consume(worker)
        waiting = await lab.still_waits(worker.consume(QUEUE))
        waiting.cancel()
        later = await self.worker(lab, QueueLimits())

        assert await lab.take(3, later) == list("bcd")
