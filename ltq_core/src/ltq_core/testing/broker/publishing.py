"""Facts about publish and publish_many at their edges."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ltq_core.errors import LeaseLostError
from ltq_core.testing.lab import A_MOMENT, OTHER, QUEUE, Lab, message
from ltq_core.testing.suite import Conformance, fact

MANY = 1001
"""More than a round number at which a store's own bulk calls may end."""

WHOLE_PAGES = (1, 100, 128, 256, 500, 512, 1000)
"""How many messages just fill what a store's own bulk calls may take at once."""

SIMILAR_IDS = (
    *("id", "ID", "Id", "id ", " id", "i", "i_", "i%", "i*", "ide", "1", "01", "1.0"),
    *("e", "e\u0301", "\u00e9"),
    *(499 * "i" + end for end in "12"),
)
"""Ids that a store takes for one if it folds, trims, matches, cuts or converts them."""


class PublishFacts(Conformance):
    """None, many, one twice, one that runs, and a time that has passed."""

    @fact
    async def test_large_bulk_arrives_whole(self, lab: Lab) -> None:
        """publish_many stores a thousand messages and one, in their order."""
        names = [f"{number:04}" for number in range(MANY)]
        await lab.broker.publish_many([message(name) for name in names])
        size = await lab.broker.size(QUEUE)

        assert size == MANY
        assert await lab.rest() == names

    @fact
    async def test_bulk_that_fills_its_pages_arrives_whole(self, lab: Lab) -> None:
        """publish_many stores each message of a list whose length is a round number."""
        sizes = []
        for count in WHOLE_PAGES:
            await lab.broker.publish_many([message(f"{number}") for number in range(count)])
            sizes.append(await lab.broker.size(QUEUE))
            await lab.broker.clear(QUEUE)
            assert await lab.broker.size(QUEUE) == 0, f"clear left some of {count}"

        assert sizes == [*WHOLE_PAGES]

    @fact
    async def test_empty_bulk_stores_nothing(self, lab: Lab) -> None:
        """publish_many of no messages does nothing, and wakes nobody."""
        waiting = await lab.still_waits(lab.broker.consume(QUEUE), A_MOMENT)
        await lab.broker.publish_many([])
        await lab.still_waits(waiting, A_MOMENT)

        assert await lab.broker.size(QUEUE) == 0

    @fact
    async def test_message_twice_in_a_bulk_is_stored_once(self, lab: Lab) -> None:
        """A message that stands twice in one publish_many is one, at its first place."""
        first, second = message("a"), message("b")
        await lab.broker.publish_many([first, second, first])

        assert await lab.broker.size(QUEUE) == 2
        assert await lab.rest() == ["a", "b"]

    @fact
    async def test_message_in_flight_published_again_waits(self, lab: Lab) -> None:
        """A message that is published while it runs waits, also when the run is done."""
        [sent] = await lab.publish("a")
        received = await lab.consume()
        await lab.broker.publish(sent)
        size = await lab.broker.size(QUEUE)
        await lab.broker.ack(received)

        assert size == 1
        assert await lab.rest() == ["a"]

    @fact
    async def test_drop_leaves_what_was_published_meanwhile(self, lab: Lab) -> None:
        """A run that is dropped takes no other message of its id with it."""
        [sent] = await lab.publish("a")
        received = await lab.consume()
        await lab.broker.publish(sent)
        await lab.broker.nack(received, drop=True)

        assert await lab.rest() == ["a"]

    @fact
    async def test_nack_beside_its_waiting_message_loses_neither(self, lab: Lab) -> None:
        """A run that is nacked when its message waits is put back: beside it, or as one."""
        for changed in ({}, {"tries": 1}):
            [sent] = await lab.publish("a")
            received = await lab.consume()
            await lab.broker.publish(sent)
            received.ctx.update(changed)
            await lab.broker.nack(received)

            assert await lab.rest() in (["a"], ["a", "a"])

    @fact
    async def test_similar_ids_are_different_messages(self, lab: Lab) -> None:
        """Messages whose ids are alike are stored, and settled, each for itself."""
        sent = [replace(message(name), id=name) for name in SIMILAR_IDS]
        await lab.broker.publish_many(sent)
        await lab.broker.nack(await lab.consume())
        taken = await lab.rest()

        assert taken == [*SIMILAR_IDS]

    @fact
    async def test_id_in_two_queues_is_two_messages(self, lab: Lab) -> None:
        """Of two messages of one id in two queues, each waits and ends on its own."""
        sent = [message("one"), message("other", OTHER)]
        await lab.broker.publish_many([replace(each, id="shared") for each in sent])
        done, again = await lab.consume(), await lab.consume(queue=OTHER)
        await lab.broker.ack(done)
        await lab.broker.nack(again)

        assert await lab.rest() == []
        assert await lab.rest(OTHER) == ["other"]

    @fact
    async def test_negative_delay_overtakes_nothing(self, lab: Lab) -> None:
        """A negative delay is none: what was published before goes first."""
        await lab.publish("a")
        await lab.publish("b", delay=-60)
        await lab.broker.publish_many([message("c")], delay=-60)

        assert await lab.rest() == ["a", "b", "c"]

    @fact
    async def test_sent_message_cannot_be_settled(self, lab: Lab) -> None:
        """The object that was published was not handed out: LeaseLostError, and it waits."""
        [sent] = await lab.publish("a")
        with pytest.raises(LeaseLostError):
            await lab.broker.ack(sent)
        with pytest.raises(LeaseLostError):
            await lab.broker.nack(sent)
        with pytest.raises(LeaseLostError):
            await lab.broker.nack(sent, drop=True)

        assert await lab.rest() == ["a"]
