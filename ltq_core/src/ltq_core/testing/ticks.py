"""Facts about a schedule's ticks."""

from __future__ import annotations

import asyncio
import time

import pytest

from ltq_core.abilities import Ticks
from ltq_core.errors import EncodeError
from ltq_core.testing.ability import AbilityConformance
from ltq_core.testing.cancelling import Cuts
from ltq_core.testing.lab import A_MOMENT, OTHER, QUEUE, Lab, label, message
from ltq_core.testing.suite import fact
from ltq_core.testing.unique_publish.keys import SIMILAR
from ltq_core.testing.walks.facts import TickWalks

JOB = "a job: */5 * * * *"

A_DAY = 86_400.0
"""Seconds by which a store's clock may be wrong, with the wrong time zone too."""


class TicksConformance(TickWalks, AbilityConformance[Ticks]):
    """Each tick is one message, whoever sends it."""

    ability = Ticks

    @fact
    async def test_first_tick_is_published(self, lab: Lab) -> None:
        """The first tick of a job is published, and its message is due at once."""
        assert await self.of(lab.broker).publish_tick(JOB, 60.0, message("a"))
        assert await lab.rest() == ["a"]

    @fact
    async def test_tick_arrives_as_it_was_sent(self, lab: Lab) -> None:
        """A tick's message keeps its id, all its arguments and its ``ctx``."""
        sent = message("a", note={"of": ["all", 1.5, None]})
        sent.kwargs = {"to": "José", "count": 3}
        await self.of(lab.broker).publish_tick(JOB, 60.0, sent)

        assert await lab.consume() == sent

    @fact
    async def test_tick_is_due_at_once_whatever_its_time(self, lab: Lab) -> None:
        """A tick long past overtakes nothing, and one to come does not wait for its time."""
        ticks = self.of(lab.broker)
        await lab.publish("waiting")
        await ticks.publish_tick(JOB, 60.0, message("past"))
        await ticks.publish_tick(JOB, await ticks.time() + 3600, message("to come"))

        assert await lab.rest() == ["waiting", "past", "to come"]

    @fact
    async def test_tick_that_cannot_be_stored_is_not_noted(self, lab: Lab) -> None:
        """A tick whose message is no JSON may be published after all, once it is."""
        ticks = self.of(lab.broker)
        with pytest.raises(EncodeError):
            await ticks.publish_tick(JOB, 60.0, message("a", no_json=object()))

        assert await ticks.last_tick(QUEUE, JOB) is None
        assert await ticks.publish_tick(JOB, 60.0, message("b"))

    @fact
    async def test_tick_is_published_once(self, lab: Lab) -> None:
        """The same tick from another scheduler publishes nothing."""
        await self.of(lab.broker).publish_tick(JOB, 60.0, message("a"))

        assert not await self.of(await lab.connect()).publish_tick(JOB, 60.0, message("b"))
        assert await lab.rest() == ["a"]

    @fact
    async def test_earlier_tick_is_not_published(self, lab: Lab) -> None:
        """A job's ticks only go forward."""
        await self.of(lab.broker).publish_tick(JOB, 60.0, message("a"))

        assert not await self.of(lab.broker).publish_tick(JOB, 59.5, message("b"))
        assert await lab.rest() == ["a"]

    @fact
    async def test_later_tick_is_published(self, lab: Lab) -> None:
        """The next tick is published, though the last one's message still waits."""
        await self.of(lab.broker).publish_tick(JOB, 60.0, message("a"))

        assert await self.of(lab.broker).publish_tick(JOB, 60.5, message("b"))
        assert await lab.rest() == ["a", "b"]

    @fact
    async def test_tick_wakes_who_waits(self, lab: Lab) -> None:
        """A consumer that waits gets a tick's message."""
        waiting = await lab.still_waits(lab.broker.consume(QUEUE), A_MOMENT)
        await self.of(await lab.connect()).publish_tick(JOB, 60.0, message("a"))

        assert label(await lab.soon(waiting, "the waiting consume")) == "a"

    @fact
    async def test_jobs_are_apart(self, lab: Lab) -> None:
        """Two jobs of one queue, and one job in two queues, have their own ticks."""
        ticks = self.of(lab.broker)
        sent = [
            await ticks.publish_tick(JOB, 60.0, message("a")),
            await ticks.publish_tick("another job", 60.0, message("b")),
            await ticks.publish_tick(JOB, 60.0, message("c", OTHER)),
        ]

        assert sent == [True, True, True]

    @fact
    async def test_similar_jobs_are_apart(self, lab: Lab) -> None:
        """Jobs are compared whole, sign by sign, and are no part of their queue's name."""
        ticks = self.of(lab.broker)
        jobs = [("some:task", name) for name in SIMILAR]
        for sign in " -_/.|#":
            jobs += [("a:task", f"job{sign}{sign}"), (f"a:task{sign}job", sign)]
        for queue, job in jobs:
            published = await ticks.publish_tick(job, 60.0, message("a", queue))
            assert published, f"{job!r} of {queue!r} went for another one"

    @fact
    async def test_racing_schedulers_publish_once(self, lab: Lab) -> None:
        """Of schedulers that publish one tick at one moment, one succeeds."""
        both = [self.of(lab.broker), self.of(await lab.connect())]
        calls = [
            each.publish_tick(JOB, float(tick), message(f"{tick}"))
            for tick in range(1, 21)
            for each in both
        ]
        published = await asyncio.gather(*calls)

        assert sum(published) == 20
        assert len(await lab.rest()) == 20

    @fact
    async def test_cancelled_tick_is_published_once(self, lab: Lab) -> None:
        """A tick that was cancelled happened wholly or not at all: repeated, it is one."""
        ticks, cuts = self.of(lab.broker), Cuts()
        for tick, name in enumerate(cuts.names, start=1):
            await cuts.cut(ticks.publish_tick(JOB, float(tick), message(name)))
            await ticks.publish_tick(JOB, float(tick), message(name))

        assert sorted(await lab.rest()) == cuts.names

    @fact
    async def test_last_tick_is_remembered(self, lab: Lab) -> None:
        """last_tick is the newest tick that was published, also when its message has ended."""
        ticks = self.of(lab.broker)
        before = await ticks.last_tick(QUEUE, JOB)
        await ticks.publish_tick(JOB, 60.0, message("a"))
        await ticks.publish_tick(JOB, 1_700_000_000.25, message("b"))
        await ticks.publish_tick(JOB, 61.0, message("c"))
        await lab.rest()
        await lab.broker.clear(QUEUE)

        assert before is None
        assert await self.of(await lab.connect()).last_tick(QUEUE, JOB) == 1_700_000_000.25

    @fact
    async def test_ticks_outlive_their_scheduler(self, lab: Lab) -> None:
        """What a scheduler published before it left is not published again."""
        scheduler = await lab.connect()
        await self.of(scheduler).publish_tick(JOB, 60.0, message("a"))
        await scheduler.close()

        assert not await self.of(lab.broker).publish_tick(JOB, 60.0, message("b"))

    @fact
    async def test_time_goes_forward(self, lab: Lab) -> None:
        """time is the store's clock, which deliveries are stamped by."""
        before = await self.of(lab.broker).time()
        await lab.publish("a")
        delivery = (await lab.consume()).delivery
        after = await self.of(lab.broker).time()

        assert delivery is not None
        assert before - 0.001 <= delivery.claimed_at <= after + 0.001

    @fact
    async def test_time_counts_from_the_epoch(self, lab: Lab) -> None:
        """time is that of a clock on the wall: cron lines are read by it."""
        wrong = abs(await self.of(lab.broker).time() - time.time())

        assert wrong < A_DAY, f"it is {wrong:.0f} s beside this process's clock"
