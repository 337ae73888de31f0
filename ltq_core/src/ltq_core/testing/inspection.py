"""Facts about looking into queues."""

from __future__ import annotations

from ltq_core.abilities import Inspection
from ltq_core.testing.ability import AbilityConformance
from ltq_core.testing.lab import CLOCKS, OTHER, QUEUE, Lab, labels
from ltq_core.testing.suite import fact


class InspectionConformance(AbilityConformance[Inspection]):
    """Looking changes nothing, and what is seen is true."""

    ability = Inspection

    @fact
    async def test_empty_store_has_no_queues(self, lab: Lab) -> None:
        """Where nothing was published, there are no queues."""
        assert await self.of(lab.broker).queues() == []

    @fact
    async def test_queues_that_hold_anything_are_listed(self, lab: Lab) -> None:
        """Queues with waiting, delayed or running messages are listed, sorted."""
        await lab.publish("running", queue="z:running")
        await lab.consume(queue="z:running")
        await lab.publish("waiting", queue="a:waiting")
        await lab.publish("delayed", queue="m:delayed", delay=3600)

        assert await self.of(lab.broker).queues() == ["a:waiting", "m:delayed", "z:running"]

    @fact
    async def test_finished_queue_is_not_listed(self, lab: Lab) -> None:
        """A queue whose messages have ended and whose workers are gone is listed no more."""
        worker = await lab.connect()
        await lab.publish("a")
        await lab.take(1, worker)
        await worker.close()

        assert await self.of(lab.broker).queues() == []

    @fact
    async def test_stats_count(self, lab: Lab) -> None:
        """stats counts what waits, what of it is due, and what runs."""
        await lab.publish("running", "due", "due too")
        await lab.publish("delayed", delay=3600)
        await lab.publish("elsewhere", queue=OTHER)
        await lab.consume()
        stats = await self.of(lab.broker).stats(QUEUE)

        assert (stats.waiting, stats.due, stats.running, stats.dead) == (3, 2, 1, 0)

    @fact
    async def test_stats_of_an_unknown_queue_are_zero(self, lab: Lab) -> None:
        """A queue that never held anything has figures, all of them zero."""
        stats = await self.of(lab.broker).stats("never:seen")

        assert (stats.waiting, stats.due, stats.running, stats.dead) == (0, 0, 0, 0)
        assert (stats.oldest_due, stats.paused) == (None, False)

    @fact
    async def test_age_of_the_oldest_due_message_is_told(self, lab: Lab) -> None:
        """oldest_due grows while a due message waits; delayed ones do not count."""
        await lab.publish("delayed", delay=3600)
        before = await self.of(lab.broker).stats(QUEUE)
        await lab.publish("due", delay=0.1)
        waiting = await lab.connect()
        received = await lab.consume(waiting)
        await waiting.nack(received)
        after = await self.of(lab.broker).stats(QUEUE)

        assert before.oldest_due is None
        assert after.oldest_due is not None
        assert -CLOCKS <= after.oldest_due <= lab.patience

    @fact
    async def test_peek_shows_what_is_next(self, lab: Lab) -> None:
        """peek returns waiting messages by due time, as many as asked for."""
        await lab.publish("later", delay=3600)
        await lab.publish("a", "b", "c")
        shown = await self.of(lab.broker).peek(QUEUE, 3)
        every = await self.of(lab.broker).peek(QUEUE)

        assert (labels(shown), labels(every)) == (["a", "b", "c"], ["a", "b", "c", "later"])

    @fact
    async def test_peek_takes_nothing(self, lab: Lab) -> None:
        """A message that was looked at is still there for a consumer."""
        await lab.publish("a")
        await self.of(lab.broker).peek(QUEUE)

        assert await lab.rest() == ["a"]

    @fact
    async def test_peek_leaves_out_what_is_no_message(self, lab: Lab) -> None:
        """Stored bytes that are no message do not disturb a look."""
        await self.put_raw(lab.broker, QUEUE, b"no json")
        await lab.publish("a")

        assert labels(await self.of(lab.broker).peek(QUEUE)) == ["a"]
