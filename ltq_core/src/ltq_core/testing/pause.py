"""Facts about queues that are paused."""

from __future__ import annotations

from ltq_core.abilities import Pause
from ltq_core.testing.ability import AbilityConformance
from ltq_core.testing.broker.queues import SIMILAR
from ltq_core.testing.lab import A_MOMENT, OTHER, QUEUE, Lab, label
from ltq_core.testing.suite import fact
from ltq_core.testing.walks.facts import PauseWalks


class PauseConformance(PauseWalks, AbilityConformance[Pause]):
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

    @fact
    async def test_pause_outlives_its_connection(self, lab: Lab) -> None:
        """A queue stays paused when whoever paused it has left."""
        operator = await lab.connect()
        await self.of(operator).pause(QUEUE)
        await operator.close()
        await lab.publish("a")

        assert await self.of(lab.broker).paused(QUEUE)
        await lab.still_waits(lab.broker.consume(QUEUE))

    @fact
    async def test_pause_outlives_the_last_message_and_worker(self, lab: Lab) -> None:
        """A queue stays paused when its last message ends, and when its worker leaves."""
        worker = await lab.connect()
        await lab.publish("a")
        received = await lab.consume(worker)
        await self.of(worker).pause(QUEUE)
        await worker.ack(received)
        paused = [await self.of(lab.broker).paused(QUEUE)]
        await worker.close()
        paused.append(await self.of(lab.broker).paused(QUEUE))

        assert paused == [True, True]

    @fact
    async def test_pause_outlives_clear(self, lab: Lab) -> None:
        """Clearing a queue does not end its pause."""
        await lab.publish("a")
        await self.of(lab.broker).pause(QUEUE)
        await lab.broker.clear(QUEUE)
        await lab.publish("b")

        await lab.still_waits(lab.broker.consume(QUEUE))

    @fact
    async def test_pause_holds_back_what_becomes_due(self, lab: Lab) -> None:
        """A delayed message whose time comes during a pause waits for its end."""
        await lab.publish("a", delay=0.1)
        waiting = lab.start(lab.broker.consume(QUEUE))
        await self.of(lab.broker).pause(QUEUE)
        await lab.still_waits(waiting)
        await self.of(lab.broker).resume(QUEUE)

        assert label(await lab.soon(waiting, "the waiting consume")) == "a"

    @fact
    async def test_pause_holds_back_what_returns(self, lab: Lab) -> None:
        """A message that was handed out before the pause and is nacked waits for its end."""
        await lab.publish("a")
        received = await lab.consume()
        await self.of(lab.broker).pause(QUEUE)
        waiting = lab.start(lab.broker.consume(QUEUE))
        await lab.broker.nack(received)

        await lab.still_waits(waiting)

    @fact
    async def test_resume_wakes_everybody(self, lab: Lab) -> None:
        """All who wait on a paused queue get messages at resume, not the first alone."""
        await self.of(lab.broker).pause(QUEUE)
        await lab.publish("a", "b", "c")
        workers = [await lab.connect() for _ in "123"]
        waiting = [await lab.still_waits(each.consume(QUEUE), A_MOMENT) for each in workers]
        await self.of(lab.broker).resume(QUEUE)

        got = [await lab.soon(each, "a waiting consume") for each in waiting]
        assert sorted(map(label, got)) == ["a", "b", "c"]

    @fact
    async def test_one_resume_ends_every_pause(self, lab: Lab) -> None:
        """However often a queue was paused, one resume ends it, and one too many is none."""
        there = self.of(lab.broker)
        await there.pause(QUEUE)
        await there.pause(QUEUE)
        await there.resume(QUEUE)
        await lab.publish("a")
        taken = await lab.take(1)
        await there.resume(QUEUE)
        await there.pause(QUEUE)

        assert taken == ["a"]
        assert await there.paused(QUEUE)

    @fact
    async def test_pause_leaves_similar_names(self, lab: Lab) -> None:
        """A pause holds up no queue whose name is like its own, or matches it as a pattern."""
        there = self.of(lab.broker)
        for number, name in enumerate(SIMILAR):
            assert not await there.paused(name), f"{name} went with {SIMILAR[:number]}"
            await there.pause(name)
