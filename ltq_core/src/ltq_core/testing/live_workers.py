"""Facts about who works on a queue."""

from __future__ import annotations

from ltq_core.abilities import LiveWorkers
from ltq_core.testing.ability import AbilityConformance
from ltq_core.testing.lab import OTHER, QUEUE, Lab
from ltq_core.testing.suite import fact
from ltq_core.testing.waiting import wait_until


class LiveWorkersConformance(AbilityConformance[LiveWorkers]):
    """Whoever holds a lease on a queue is listed, and nobody else."""

    ability = LiveWorkers

    @fact
    async def test_unknown_queue_has_no_workers(self, lab: Lab) -> None:
        """Nobody works on a queue that nobody consumed from."""
        assert await self.of(lab.broker).workers(QUEUE) == []

    @fact
    async def test_producer_is_no_worker(self, lab: Lab) -> None:
        """A connection that only publishes is not listed."""
        await lab.publish("a")

        assert await self.of(lab.broker).workers(QUEUE) == []

    @fact
    async def test_worker_is_listed_with_what_it_holds(self, lab: Lab) -> None:
        """A worker is listed on the queues it consumes from, with what it runs of each."""
        worker = await lab.connect()
        await lab.publish("a", "b", "c")
        await lab.publish("d", queue=OTHER)
        for queue in (QUEUE, QUEUE, OTHER):
            await lab.consume(worker, queue)

        [here] = await self.of(lab.broker).workers(QUEUE)
        [there] = await self.of(lab.broker).workers(OTHER)
        assert (here.running, there.running) == (2, 1)

    @fact
    async def test_batch_counts_as_running(self, lab: Lab) -> None:
        """What came in one batch counts message by message."""
        worker = await lab.connect()
        await lab.publish(*"abcde")
        got = await lab.soon(worker.consume_many([QUEUE], 3), "consume_many")
        while len(got) < 3:
            got += await lab.soon(worker.consume_many([QUEUE], 3 - len(got)), "consume_many")
        listed = await self.of(lab.broker).workers(QUEUE)
        await worker.ack_many(got)

        # A broker may have leased one more ahead, to be returned next.
        assert 3 <= sum(each.running for each in listed) <= 4

    @fact
    async def test_worker_is_listed_where_it_works(self, lab: Lab) -> None:
        """A worker is not listed on another queue, be its name ever so similar."""
        worker = await lab.connect()
        await lab.publish("a")
        await lab.consume(worker)
        others = (OTHER, f"{QUEUE}s", QUEUE[:-1], QUEUE.upper(), "*", "%")

        assert [await self.of(lab.broker).workers(name) for name in others] == [[]] * 6

    @fact
    async def test_settling_lowers_what_runs(self, lab: Lab) -> None:
        """What was settled no longer counts as running."""
        worker = await lab.connect()
        await lab.publish("a", "b")
        await lab.take(1, worker)
        await worker.nack(await lab.consume(worker), delay=3600)

        assert sum(each.running for each in await self.of(lab.broker).workers(QUEUE)) == 0

    @fact
    async def test_lease_lies_ahead(self, lab: Lab) -> None:
        """The lease of a living worker ends later than now, and within one lease."""
        worker = await lab.connect()
        await lab.publish("a")
        await lab.consume(worker)
        [listed] = await self.of(lab.broker).workers(QUEUE)

        assert 0 < listed.expires_in <= lab.lease + 0.1

    @fact
    async def test_living_worker_stays_listed(self, lab: Lab) -> None:
        """A worker that runs longer than a lease is listed as before: its lease is renewed."""
        worker = await lab.connect()
        await lab.publish("a")
        await lab.consume(worker)
        [before] = await self.of(lab.broker).workers(QUEUE)
        await lab.still_waits(lab.broker.consume(QUEUE), 1.5 * lab.lease)
        listed = {each.id: each for each in await self.of(lab.broker).workers(QUEUE)}

        assert before.id in listed
        assert listed[before.id].running == 1
        assert 0 < listed[before.id].expires_in <= lab.lease + 0.1

    @fact
    async def test_two_workers_have_two_ids(self, lab: Lab) -> None:
        """Each connection that consumes is a worker of its own."""
        await lab.publish("a", "b")
        await lab.consume(await lab.connect())
        await lab.consume(await lab.connect())
        listed = await self.of(lab.broker).workers(QUEUE)

        assert len({each.id for each in listed}) == 2

    @fact
    async def test_closed_worker_is_not_listed(self, lab: Lab) -> None:
        """A worker that closed is gone at once."""
        worker = await lab.connect()
        await lab.publish("a")
        await lab.consume(worker)
        await worker.close()

        assert await self.of(lab.broker).workers(QUEUE) == []

    @fact
    async def test_dead_worker_is_listed_no_more(self, lab: Lab) -> None:
        """A worker that died is gone when its lease has ended."""
        await lab.crash(await lab.holder("a"))

        async def nobody() -> bool:
            return not await self.of(lab.broker).workers(QUEUE)

        await wait_until(nobody, lab.takeover, "the dead worker is listed no more")
