"""Facts about limits that count for all workers together."""

from __future__ import annotations

import asyncio
import time
from itertools import product
from typing import TYPE_CHECKING

from ltq_core.abilities import QueueLimits, Rate, SharedLimits
from ltq_core.testing.ability import AbilityConformance
from ltq_core.testing.cancelling import Cuts, cancelled
from ltq_core.testing.dead_letters import bury_or_skip
from ltq_core.testing.fairness import SERVED, wait_beside_a_busy_queue
from ltq_core.testing.lab import CLOCKS, OTHER, QUEUE, Lab, label, labels, message
from ltq_core.testing.suite import fact

if TYPE_CHECKING:
    from ltq_core.broker import Broker
    from ltq_core.message import Message

SLOW = Rate(interval=30.0)
"""A rate at which a second message does not come within a test."""

QUICK = Rate(interval=0.1)
SPACED = Rate(interval=0.2)

SOON = 1.0
"""Seconds within which a place or a slot that came free is used: far more than it takes."""


class SharedLimitsConformance(AbilityConformance[SharedLimits]):
    """A limit keeps messages in their queue, in order, whoever asks for them."""

    ability = SharedLimits

    async def worker(self, lab: Lab, limits: QueueLimits) -> Broker:
        """One more connection, gated by *limits*."""
        broker = await lab.connect()
        await self.of(broker).set_limits(QUEUE, limits)
        return broker

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
    async def test_each_queue_has_slots_of_its_own(self, lab: Lab) -> None:
        """A slot that one queue used, or a place, is not missing in another."""
        worker = await self.worker(lab, QueueLimits(SLOW, concurrency=1))
        await self.of(worker).set_limits(OTHER, QueueLimits(SLOW, concurrency=1))
        await lab.publish("a")
        await lab.publish("b", queue=OTHER)
        got = [await lab.consume(worker), await lab.consume(worker, OTHER)]

        assert labels(got) == ["a", "b"]

    @fact
    async def test_limited_message_still_waits(self, lab: Lab) -> None:
        """What a rate holds back counts as waiting."""
        worker = await self.worker(lab, QueueLimits(SLOW))
        await lab.publish("a", "b", "c")
        await lab.take(1, worker)
        await lab.still_waits(worker.consume(QUEUE))

        assert await lab.broker.size(QUEUE) == 2

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
            waited = await wait_beside_a_busy_queue(lab, worker, limit)
            assert waited < SERVED, f"consume_many with a limit of {limit}, and {limits}"
            await worker.close()

    @fact
    async def test_limited_queue_is_starved_by_no_other(self, lab: Lab) -> None:
        """A limited queue is served within two seconds, though one without limits is busy."""
        worker = await lab.connect()
        await self.of(worker).set_limits(OTHER, QueueLimits(QUICK))
        for limit in (1, 10):
            waited = await wait_beside_a_busy_queue(lab, worker, limit)
            assert waited < SERVED, f"consume_many with a limit of {limit}"

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

    @fact
    async def test_limits_can_be_lifted(self, lab: Lab) -> None:
        """The limits that were set last count."""
        worker = await self.worker(lab, QueueLimits(SLOW, concurrency=1))
        await self.of(worker).set_limits(QUEUE, QueueLimits())
        await lab.publish(*"abcd")

        assert await lab.take(4, worker) == list("abcd")
