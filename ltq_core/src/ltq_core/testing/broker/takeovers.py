"""Facts about who takes over from a dead worker, and what."""

from __future__ import annotations

import asyncio

import pytest

from ltq_core.testing.lab import A_MOMENT, CLOCKS, OTHER, QUEUE, Lab, label, labels
from ltq_core.testing.suite import Conformance, fact


class TakeoverFacts(Conformance):
    """All that a dead worker held comes back, once, as it was stored, to whoever lives."""

    @fact
    async def test_all_queues_of_a_dead_worker_return(self, lab: Lab) -> None:
        """What a dead worker held of several queues comes back in each of them."""
        worker = await lab.holder("a")
        await lab.publish("b", queue=OTHER)
        await lab.soon(worker.hold(OTHER), "consume() of a second queue")
        await lab.crash(worker)
        back = [await lab.consume(None, queue, lab.takeover) for queue in (QUEUE, OTHER)]

        assert labels(back) == ["a", "b"]

    @fact
    async def test_older_worker_takes_over(self, lab: Lab) -> None:
        """A worker that was there before a dead one gets what that held."""
        await lab.publish("before")
        await lab.take(1)
        await lab.crash(await lab.holder("a"))

        assert label(await lab.consume(within=lab.takeover)) == "a"

    @fact
    async def test_message_of_a_dead_worker_goes_to_one(self, lab: Lab) -> None:
        """Of two workers that wait when a third one dies, one gets what it held."""
        worker = await lab.holder("a")
        others = (lab.broker, await lab.connect())
        waiting = [await lab.still_waits(each.consume(QUEUE), A_MOMENT) for each in others]
        await lab.crash(worker)
        race = asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        await lab.soon(race, "any consume that waited", lab.takeover)
        await asyncio.sleep(lab.lease)  # for another one that takes over as well

        assert sum(call.done() for call in waiting) == 1, "both have it"

    @fact
    async def test_message_of_a_dead_worker_is_as_it_was_stored_last(self, lab: Lab) -> None:
        """It comes back as its last nack left it, due when that said."""
        await lab.publish("a")
        received = await lab.consume()
        received.ctx["tries"] = 1
        await lab.broker.nack(received, delay=0.05)
        worker = await lab.peer()
        await lab.soon(worker.hold(QUEUE), "consume() after a nack")
        [held] = worker.held
        held.ctx["tries"] = 2
        await lab.crash(worker)
        back = await lab.consume(within=lab.takeover)

        assert back.ctx["tries"] == 1
        assert back.delivery is not None
        assert held.delivery is not None
        assert back.delivery.due_at == pytest.approx(held.delivery.due_at, abs=CLOCKS)
