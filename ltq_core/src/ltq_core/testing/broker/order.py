"""Facts about what is handed out, in which order, and when."""

from __future__ import annotations

import asyncio
import time

from ltq_core.message import Message
from ltq_core.testing.lab import A_MOMENT, CLOCKS, OTHER, QUEUE, Lab, label, message
from ltq_core.testing.suite import Conformance, fact

MONTHS, DECADES = 100 * 86_400, 20 * 366 * 86_400
"""Seconds: more milliseconds than 31 bits count, and a time after 2038."""

TINY = 0.0004
"""Seconds: a delay that whole milliseconds turn into none."""


class OrderFacts(Conformance):
    """What goes in comes out: equal, in order, and in time."""

    @fact
    async def test_message_arrives_equal(self, lab: Lab) -> None:
        """Id, arguments, context and task name arrive as they were published."""
        sent = Message((1, "two"), {"three": [3.5, None]}, QUEUE, {"created_at": 1.5, "a": {}})
        await lab.broker.publish(sent)

        assert await lab.consume() == sent

    @fact
    async def test_message_carries_its_delivery(self, lab: Lab) -> None:
        """A message that was handed out says when it was due and when it was claimed."""
        await lab.publish("a")
        delivery = (await lab.consume()).delivery

        assert delivery is not None
        assert delivery.due_at <= delivery.claimed_at + CLOCKS
        assert (delivery.crashes, delivery.lease_lost) == (0, False)

    @fact
    async def test_delivery_tells_how_long_the_message_waited(self, lab: Lab) -> None:
        """From due to claimed is what it waited, without its delay: max_age goes by that."""
        start = time.monotonic()
        await lab.publish("a", delay=0.2)
        await asyncio.sleep(0.5)
        delivery = (await lab.consume()).delivery
        longest = time.monotonic() - start - 0.2

        assert delivery is not None
        waited = delivery.claimed_at - delivery.due_at
        assert 0.3 - 2 * CLOCKS <= waited <= longest + CLOCKS

    @fact
    async def test_long_delays_are_kept(self, lab: Lab) -> None:
        """A delay may be of more milliseconds than 31 bits count, or end after 2038."""
        for delay in (MONTHS, DECADES):
            await lab.publish("nacked")
            await lab.broker.nack(await lab.consume(), delay)
            await lab.publish("published", delay=delay)
            await lab.broker.publish_many([message("alone")], delay)
            await asyncio.sleep(A_MOMENT)  # what is due too early stands before the next one
            await lab.publish("now")

            assert await lab.rest() == ["now"], f"of those with a delay of {delay} s"
            assert await lab.broker.size(QUEUE) == 3, f"of those with a delay of {delay} s"
            await lab.broker.clear(QUEUE)

    @fact
    async def test_messages_due_at_once_keep_their_order(self, lab: Lab) -> None:
        """Messages that are due at one time are handed out as they were published."""
        await lab.publish(*"abcdefghij")

        assert await lab.take(10) == list("abcdefghij")

    @fact
    async def test_bulk_keeps_its_order(self, lab: Lab) -> None:
        """Messages that are published in bulk are handed out in their order."""
        await lab.broker.publish_many([message(name) for name in "abcdefghij"])

        assert await lab.take(10) == list("abcdefghij")

    @fact
    async def test_bulk_reaches_every_queue(self, lab: Lab) -> None:
        """Messages for several queues may be published in one call."""
        await lab.broker.publish_many([message("a"), message("b", OTHER), message("c")])

        assert (await lab.take(2), await lab.take(1, queue=OTHER)) == (["a", "c"], ["b"])

    @fact
    async def test_earlier_due_time_goes_first(self, lab: Lab) -> None:
        """A message due earlier goes first, though it was published later."""
        await lab.publish("late", delay=0.5)
        await lab.publish("early", delay=0.2)

        assert await lab.take(2) == ["early", "late"]

    @fact
    async def test_what_became_due_keeps_its_turn(self, lab: Lab) -> None:
        """Of messages that are all due by now, the one that was due first goes first."""
        await lab.publish("third", delay=0.1)
        await lab.publish("second", delay=0.05)
        await lab.publish("first")
        await lab.publish("now all are due", queue=OTHER, delay=0.15)
        await lab.take(1, queue=OTHER)
        await lab.publish("fourth")

        assert await lab.rest() == ["first", "second", "third", "fourth"]

    @fact
    async def test_delay_is_kept(self, lab: Lab) -> None:
        """A delayed message is not handed out before it is due."""
        start = time.monotonic()
        await lab.publish("a", delay=0.5)
        await lab.consume()

        assert time.monotonic() - start >= 0.5 - CLOCKS

    @fact
    async def test_delay_of_bulk_is_kept(self, lab: Lab) -> None:
        """Messages published in bulk with a delay are not handed out before it is over."""
        start = time.monotonic()
        await lab.broker.publish_many([message("a"), message("b")], delay=0.5)
        first = await lab.consume()

        assert time.monotonic() - start >= 0.5 - CLOCKS
        assert label(first) == "a"

    @fact
    async def test_delays_are_exact(self, lab: Lab) -> None:
        """No delay, of a publish, a bulk or a nack, is rounded up or down: due_at tells."""
        for delay in (0.3, TINY):
            await _see_exact_delays(lab, delay)

    @fact
    async def test_waiting_consumer_gets_what_another_connection_publishes(
        self, lab: Lab
    ) -> None:
        """A consumer that waits is woken by a message from elsewhere."""
        waiting = await lab.still_waits((await lab.connect()).consume(QUEUE))
        await lab.publish("a")

        assert label(await lab.soon(waiting, "the waiting consume")) == "a"

    @fact
    async def test_waiting_consumer_gets_an_earlier_message_first(self, lab: Lab) -> None:
        """A consumer that waits for a delayed message is woken by one that is due before it."""
        await lab.publish("in an hour", delay=3600)
        waiting = await lab.still_waits(lab.broker.consume(QUEUE))
        await lab.publish("now")

        assert label(await lab.soon(waiting, "the waiting consume")) == "now"

    @fact
    async def test_each_waiting_consumer_gets_its_own_message(self, lab: Lab) -> None:
        """Two consumers that wait get two messages, one each."""
        first = await lab.still_waits(lab.broker.consume(QUEUE), A_MOMENT)
        second = await lab.still_waits(lab.broker.consume(QUEUE), A_MOMENT)
        await lab.publish("a", "b")

        got = [await lab.soon(each, "a waiting consume") for each in (first, second)]
        assert sorted(map(label, got)) == ["a", "b"]

    @fact
    async def test_queues_are_apart(self, lab: Lab) -> None:
        """A message is handed out from the queue of its task alone."""
        await lab.publish("other", queue=OTHER)
        waiting = await lab.still_waits(lab.broker.consume(QUEUE))
        await lab.publish("mine")

        assert label(await lab.soon(waiting, "the waiting consume")) == "mine"

    @fact
    async def test_waiting_message_published_again_stays_one(self, lab: Lab) -> None:
        """Publishing a message again while it waits, as after a lost answer, adds nothing."""
        [sent] = await lab.publish("a")
        await lab.broker.publish(sent)

        assert await lab.broker.size(QUEUE) == 1
        assert await lab.rest() == ["a"]

    @fact
    async def test_waiting_message_published_again_keeps_its_place(self, lab: Lab) -> None:
        """Publishing a message again while it waits moves it nowhere, whatever the delay."""
        sent, _ = await lab.publish("a", "b")
        await lab.broker.publish(sent)
        await lab.broker.publish_many([sent])
        await lab.broker.publish(sent, delay=3600)

        assert await lab.rest() == ["a", "b"]

    @fact
    async def test_ended_message_published_again_runs_again(self, lab: Lab) -> None:
        """A message that was settled may be published again, with the same id."""
        [sent] = await lab.publish("a")
        await lab.take(1)
        await lab.broker.publish(sent)

        assert (await lab.consume()).id == sent.id

    @fact
    async def test_burst_arrives_whole(self, lab: Lab) -> None:
        """Hundreds of sends at once queue up; none is refused, lost or doubled."""
        sent = [message(f"{number}") for number in range(600)]
        await asyncio.gather(*(lab.broker.publish(each) for each in sent))
        arrived = await lab.take(600)

        assert sorted(arrived) == sorted(label(each) for each in sent)
        assert await lab.broker.size(QUEUE) == 0


async def _see_exact_delays(lab: Lab, delay: float) -> None:
    await lab.publish("nacked")
    before = await lab.consume()
    await lab.broker.nack(before, delay)
    await lab.publish("published", delay=delay)
    await lab.broker.publish_many([message("alone")], delay)
    await lab.broker.publish_many([message("in"), message("bulk")], delay)
    await lab.publish("after")
    received = {label(each): each for each in [await lab.consume() for _ in range(6)]}
    earliest, latest = _claimed(before) + delay, _claimed(received.pop("after")) + delay

    for name, each in received.items():
        assert each.delivery is not None
        assert earliest - CLOCKS <= each.delivery.due_at <= latest + CLOCKS, (
            f"the delay of {delay} s, {name}"
        )


def _claimed(received: Message) -> float:
    assert received.delivery is not None
    return received.delivery.claimed_at
