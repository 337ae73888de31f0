"""Facts about queues that are paused."""

from __future__ import annotations

from ltq_core.abilities import Pause
from ltq_core.testing.ability import AbilityConformance
from ltq_core.testing.lab import OTHER, QUEUE, Lab, label
from ltq_core.testing.suite import fact


class PauseConformance(AbilityConformance[Pause]):
    """A paused queue hands out nothing, and forgets nothing."""

    ability = Pause

    @fact
    async def test_paused_queue_hands_out_nothing(self, lab: Lab) -> None:
        """No message of a paused queue is handed out, to no connection."""
        await self.of(lab.broker).pause(QUEUE)
        await lab.publish("a")

        await lab.still_waits((await lab.connect()).consume(QUEUE))

    @fact
    async def test_resume_wakes_who_waits(self, lab: Lab) -> None:
        """A consumer that waits on a paused queue gets its messages at resume."""
        await self.of(lab.broker).pause(QUEUE)
        await lab.publish("a")
        waiting = await lab.still_waits(lab.broker.consume(QUEUE))
        await self.of(await lab.connect()).resume(QUEUE)

        assert label(await lab.soon(waiting, "the waiting consume")) == "a"

    @fact
    async def test_pause_holds_back_who_waits_already(self, lab: Lab) -> None:
        """A consumer that waited before the pause gets nothing during it."""
        waiting = await lab.still_waits(lab.broker.consume(QUEUE))
        await self.of(lab.broker).pause(QUEUE)
        await lab.publish("a")

        await lab.still_waits(waiting)

    @fact
    async def test_pause_touches_no_other_queue(self, lab: Lab) -> None:
        """A claim over several queues gets the messages of those that are not paused."""
        await self.of(lab.broker).pause(QUEUE)
        await lab.publish("a")
        await lab.publish("b", queue=OTHER)
        got = await lab.soon(lab.broker.consume_many([QUEUE, OTHER], 5), "consume_many")

        assert [label(each) for each in got] == ["b"]

    @fact
    async def test_runs_go_on_during_a_pause(self, lab: Lab) -> None:
        """What was handed out before the pause can be settled; what is nacked waits."""
        await lab.publish("a", "b")
        first, second = await lab.consume(), await lab.consume()
        await self.of(lab.broker).pause(QUEUE)
        await lab.broker.ack(first)
        await lab.broker.nack(second)

        assert await lab.broker.size(QUEUE) == 1

    @fact
    async def test_paused_queue_takes_messages(self, lab: Lab) -> None:
        """Messages published during a pause wait, in order, and count."""
        await self.of(lab.broker).pause(QUEUE)
        await lab.publish("a", "b")
        size = await lab.broker.size(QUEUE)
        await self.of(lab.broker).resume(QUEUE)

        assert (size, await lab.rest()) == (2, ["a", "b"])

    @fact
    async def test_every_connection_sees_the_pause(self, lab: Lab) -> None:
        """paused tells whether a queue is paused, by whomever."""
        there = self.of(await lab.connect())
        seen = [await there.paused(QUEUE)]
        await self.of(lab.broker).pause(QUEUE)
        seen.append(await there.paused(QUEUE))
        await self.of(lab.broker).resume(QUEUE)
        seen.append(await there.paused(QUEUE))

        assert seen == [False, True, False]
