"""Facts about looking into queues."""

from __future__ import annotations

import time

import pytest

from ltq_core.abilities import Inspection, Pause, QueueLimits, SharedLimits
from ltq_core.testing.ability import AbilityConformance
from ltq_core.testing.dead_letters.letters import bury_or_skip
from ltq_core.testing.lab import CLOCKS, OTHER, QUEUE, Lab, labels, message
from ltq_core.testing.suite import fact
from ltq_core.testing.waiting import wait_until
from ltq_core.testing.walks.facts import LookWalks


class InspectionConformance(LookWalks, AbilityConformance[Inspection]):
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
    async def test_stats_follow_every_step(self, lab: Lab) -> None:
        """After each step of a message's life, the figures are those of that moment."""
        seen = []
        look = self.of(await lab.connect())

        async def note() -> None:
            stats = await look.stats(QUEUE)
            seen.append((stats.waiting, stats.due, stats.running))

        await lab.publish("a", "b")
        await note()
        received = await lab.consume()
        await note()
        await lab.broker.nack(received)
        await note()
        await lab.broker.nack(await lab.consume(), delay=3600)
        await note()
        await lab.broker.ack(await lab.consume())
        await note()
        await lab.broker.clear(QUEUE)
        await note()

        assert seen == [(2, 2, 0), (1, 1, 1), (2, 2, 0), (2, 1, 0), (1, 0, 0), (0, 0, 0)]

    @fact
    async def test_stats_count_what_a_closed_worker_held(self, lab: Lab) -> None:
        """What a worker gave back when it left waits, and runs no more."""
        worker = await lab.connect()
        await lab.publish("a", "b")
        await lab.consume(worker)
        await worker.close()
        stats = await self.of(lab.broker).stats(QUEUE)

        assert (stats.waiting, stats.due, stats.running) == (2, 2, 0)

    @fact
    async def test_dead_letters_are_counted(self, lab: Lab) -> None:
        """Letters have a figure of their own, and keep their queue in the list."""
        await lab.publish("a", "b")
        await lab.publish("elsewhere", queue=OTHER)
        for queue in (QUEUE, QUEUE, OTHER):
            await bury_or_skip(lab.broker, await lab.consume(queue=queue))
        stats = await self.of(lab.broker).stats(QUEUE)

        assert (stats.waiting, stats.running, stats.dead) == (0, 0, 2)
        assert await self.of(lab.broker).queues() == [OTHER, QUEUE]

    @fact
    async def test_stats_tell_a_pause(self, lab: Lab) -> None:
        """stats says whether the queue is paused, where it can be."""
        if not isinstance(lab.broker, Pause):
            pytest.skip("pauses are not told: the broker has none")
        await lab.broker.pause(QUEUE)
        during = (await self.of(lab.broker).stats(QUEUE)).paused
        await lab.broker.resume(QUEUE)

        assert (during, (await self.of(lab.broker).stats(QUEUE)).paused) == (True, False)

    @fact
    async def test_stats_of_an_unknown_queue_are_zero(self, lab: Lab) -> None:
        """A queue that never held anything has figures, all of them zero."""
        stats = await self.of(lab.broker).stats("never:seen")

        assert (stats.waiting, stats.due, stats.running, stats.dead) == (0, 0, 0, 0)
        assert (stats.oldest_due, stats.paused) == (None, False)

    @fact
    async def test_age_of_the_oldest_due_message_is_told(self, lab: Lab) -> None:
        """oldest_due counts from when a message was due; delayed ones do not count."""
        await lab.publish("delayed", delay=3600)
        before = await self.of(lab.broker).stats(QUEUE)
        start = time.monotonic()
        await lab.publish("due", delay=0.1)
        waiting = await lab.connect()
        received = await lab.consume(waiting)
        await waiting.nack(received)
        after = await self.of(lab.broker).stats(QUEUE)

        assert before.oldest_due is None
        assert after.oldest_due is not None
        assert -CLOCKS <= after.oldest_due <= time.monotonic() - start - 0.1 + CLOCKS

    @fact
    async def test_age_is_that_of_the_oldest(self, lab: Lab) -> None:
        """oldest_due grows with time, and a younger message does not lower it."""
        await lab.publish("old")

        async def is_older() -> bool:
            age = (await self.of(lab.broker).stats(QUEUE)).oldest_due
            return age is not None and age >= 0.1

        await wait_until(is_older, lab.patience, "the age of a due message grows")
        await lab.publish("young")

        assert await is_older()

    @fact
    async def test_peek_shows_what_is_next(self, lab: Lab) -> None:
        """peek returns waiting messages by due time, as many as asked for."""
        await lab.publish("later", delay=3600)
        await lab.publish("a", "b", "c")
        shown = await self.of(lab.broker).peek(QUEUE, 3)
        every = await self.of(lab.broker).peek(QUEUE)

        assert (labels(shown), labels(every)) == (["a", "b", "c"], ["a", "b", "c", "later"])

    @fact
    async def test_no_look_is_cut_short(self, lab: Lab) -> None:
        """However many queues and messages there are, all are listed, counted and shown."""
        names = [f"many:{number:03}" for number in range(120)]
        await lab.broker.publish_many([message(name) for name in names])
        await lab.broker.publish_many([message(name, name) for name in names])
        look = self.of(lab.broker)
        stats = await look.stats(QUEUE)

        assert (stats.waiting, stats.due) == (120, 120)
        assert labels(await look.peek(QUEUE, 120)) == names
        assert await look.queues() == [QUEUE, *names]

    @fact
    async def test_many_runs_are_counted(self, lab: Lab) -> None:
        """stats counts more than a hundred messages in flight."""
        await lab.broker.publish_many([message(f"{number}") for number in range(150)])
        got = 0
        while got < 150:
            call = lab.broker.consume_many([QUEUE], 150 - got)
            got += len(await lab.soon(call, "consume_many"))
        stats = await self.of(await lab.connect()).stats(QUEUE)

        assert (stats.waiting, stats.running) == (0, 150)

    @fact
    async def test_many_letters_are_counted(self, lab: Lab) -> None:
        """stats counts more than a hundred dead letters."""
        await lab.broker.publish_many([message(f"{number}") for number in range(120)])
        for _ in range(120):
            await bury_or_skip(lab.broker, await lab.consume())

        assert (await self.of(lab.broker).stats(QUEUE)).dead == 120

    @fact
    async def test_what_waits_for_a_limit_is_seen(self, lab: Lab) -> None:
        """Messages that a limit holds up wait, are due, and are shown in their order."""
        worker = await lab.connect()
        if not isinstance(worker, SharedLimits):
            pytest.skip("limits are not looked at: the broker offers none")
        await worker.set_limits(QUEUE, QueueLimits(concurrency=1, concurrency_keyed=True))
        await lab.publish(*"abc", concurrency_key="one")
        await lab.consume(worker)
        (await lab.still_waits(worker.consume(QUEUE))).cancel()
        stats = await self.of(lab.broker).stats(QUEUE)

        assert (stats.waiting, stats.due, stats.running) == (2, 2, 1)
        assert stats.oldest_due is not None
        assert labels(await self.of(lab.broker).peek(QUEUE)) == ["b", "c"]

    @fact
    async def test_limit_of_zero_shows_nothing(self, lab: Lab) -> None:
        """peek with a limit of 0 shows no message, and not all."""
        await lab.publish("a", "b")

        assert list(await self.of(lab.broker).peek(QUEUE, 0)) == []

    @fact
    async def test_peek_takes_nothing(self, lab: Lab) -> None:
        """A message that was looked at is still there for a consumer."""
        await lab.publish("a")
        await self.of(lab.broker).peek(QUEUE)

        assert await lab.rest() == ["a"]

    @fact
    async def test_peek_leases_nothing(self, lab: Lab) -> None:
        """What was looked at is not handed out: it has no delivery, and counts as waiting."""
        await lab.publish("a", "b")
        shown = await self.of(lab.broker).peek(QUEUE)
        stats = await self.of(lab.broker).stats(QUEUE)

        assert [each.delivery for each in shown] == [None, None]
        assert (stats.waiting, stats.running) == (2, 0)

    @fact
    async def test_peek_changes_no_order(self, lab: Lab) -> None:
        """Whoever looks, at one or at all, messages come in their order, when they are due."""
        await lab.publish("later", delay=3600)
        await lab.publish("a", "b", "c")
        for limit in (1, 10):
            await self.of(lab.broker).peek(QUEUE, limit)

        assert await lab.rest() == ["a", "b", "c"]
        assert await lab.broker.size(QUEUE) == 1

    @fact
    async def test_peek_shows_what_waits_alone(self, lab: Lab) -> None:
        """What is in flight, has ended, or waits elsewhere is not shown."""
        await lab.publish("done", "running", "waiting")
        await lab.publish("elsewhere", queue=OTHER)
        await lab.take(1)
        await lab.consume()
        shown = await self.of(lab.broker).peek(QUEUE)

        assert labels(shown) == ["waiting"]
        assert await self.of(lab.broker).peek("never:seen") == []

    @fact
    async def test_peeked_message_is_whole(self, lab: Lab) -> None:
        """A look shows the message as a consumer will get it."""
        await lab.publish("a")
        received = await lab.consume()
        received.ctx["tries"] = 2
        await lab.broker.nack(received)

        assert list(await self.of(lab.broker).peek(QUEUE)) == [received]

    @fact
    async def test_peek_leaves_out_what_is_no_message(self, lab: Lab) -> None:
        """Stored bytes that are no message do not disturb a look."""
        await self.put_raw(lab.broker, QUEUE, b"no json")
        await lab.publish("a")

        assert labels(await self.of(lab.broker).peek(QUEUE)) == ["a"]
