"""Facts about rates."""

from __future__ import annotations

import asyncio
import time

from ltq_core.abilities import QueueLimits, Rate
from ltq_core.testing.cancelling import cancelled
from ltq_core.testing.lab import CLOCKS, QUEUE, Lab, labels
from ltq_core.testing.shared_limits.limits import QUICK, SLOW, SPACED, Limited
from ltq_core.testing.suite import fact


class RateFacts(Limited):
    """A message waits for its slot, which is one for all workers."""

    @fact
    async def test_rate_spaces_messages_evenly(self, lab: Lab) -> None:
        """Every message waits for its slot, however many are due."""
        worker = await self.worker(lab, QueueLimits(QUICK))
        await lab.publish(*"abcdef")
        start = time.monotonic()
        times = []
        for _ in range(6):
            await lab.take(1, worker)
            times.append(time.monotonic() - start)

        late = [number for number in range(6) if times[number] < number * 0.1 - 2 * CLOCKS]
        assert late == [], f"started after {times} s"

    @fact
    async def test_rate_counts_for_all_workers(self, lab: Lab) -> None:
        """Two workers together start no more than the rate allows."""
        workers = [await self.worker(lab, QueueLimits(QUICK)) for _ in "ab"]
        await lab.publish(*"abcdefgh")
        start = time.monotonic()
        await asyncio.gather(*(lab.take(4, worker) for worker in workers))

        assert time.monotonic() - start >= 7 * 0.1 - 2 * CLOCKS

    @fact
    async def test_rate_keeps_the_order(self, lab: Lab) -> None:
        """Messages that wait for slots are handed out in the order of their publishing."""
        worker = await self.worker(lab, QueueLimits(Rate(interval=0.02)))
        await lab.publish(*"abcdefghij")

        assert await lab.take(10, worker) == list("abcdefghij")

    @fact
    async def test_slots_outlive_their_workers(self, lab: Lab) -> None:
        """A slot that was used is used, though the worker that used it has left."""
        first = await self.worker(lab, QueueLimits(SLOW))
        await lab.publish("a", "b")
        await lab.take(1, first)
        await first.close()
        second = await self.worker(lab, QueueLimits(SLOW))

        await lab.still_waits(second.consume(QUEUE))

    @fact
    async def test_burst_goes_at_once(self, lab: Lab) -> None:
        """As many as *burst* start at once after a pause, and no more."""
        worker = await self.worker(lab, QueueLimits(Rate(SLOW.interval, burst=3)))
        await lab.publish(*"abcd")

        assert await lab.take(3, worker) == ["a", "b", "c"]
        await lab.still_waits(worker.consume(QUEUE))

    @fact
    async def test_idle_time_saves_no_slots(self, lab: Lab) -> None:
        """Slots that nobody used are gone: after a pause messages are spaced as before."""
        worker = await self.worker(lab, QueueLimits(QUICK))
        await lab.publish("a")
        await lab.take(1, worker)
        await lab.publish("b", "c", "d", delay=0.5)
        await lab.take(1, worker)
        start = time.monotonic()
        await lab.take(2, worker)

        assert time.monotonic() - start >= 2 * 0.1 - 2 * CLOCKS

    @fact
    async def test_limited_message_still_waits(self, lab: Lab) -> None:
        """What a rate holds back counts as waiting."""
        worker = await self.worker(lab, QueueLimits(SLOW))
        await lab.publish("a", "b", "c")
        await lab.take(1, worker)
        await lab.still_waits(worker.consume(QUEUE))

        assert await lab.broker.size(QUEUE) == 2

    @fact
    async def test_waiting_costs_no_slot(self, lab: Lab) -> None:
        """A consumer that is cancelled while it waits for a slot has not used it up."""
        worker = await self.worker(lab, QueueLimits(QUICK))
        await lab.publish("a", "b")
        await lab.take(1, worker)
        received = [await cancelled(worker.consume(QUEUE), turns) for turns in range(0, 90, 3)]

        assert labels([each for each in received if each]) in ([], ["b"])
        if not any(received):
            assert await lab.take(1, worker) == ["b"]

    @fact
    async def test_slots_that_nobody_used_are_over(self, lab: Lab) -> None:
        """After a time in which no worker had room, no more start at once than the burst."""
        await self._let_slots_pass(lab, QueueLimits(SPACED))

    @fact
    async def test_slots_of_a_key_that_nobody_used_are_over(self, lab: Lab) -> None:
        """The same with a rate that counts by key."""
        await self._let_slots_pass(lab, QueueLimits(SPACED, rate_keyed=True))

    async def _let_slots_pass(self, lab: Lab, limits: QueueLimits) -> None:
        worker = await self.worker(lab, limits)
        await lab.publish(*"abcdef", rate_key="k")
        first = await lab.soon(worker.consume_many([QUEUE], 10), "consume_many")
        await asyncio.sleep(4 * SPACED.interval)
        await worker.ack_many(first)
        start = time.monotonic()
        taken = labels(first) + await lab.take(5, worker)

        assert time.monotonic() - start >= 4 * SPACED.interval - 2 * CLOCKS
        assert taken == list("abcdef")
