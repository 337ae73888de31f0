"""Facts about sends with a key."""

from __future__ import annotations

import asyncio
import time

import pytest

from ltq_core.errors import EncodeError
from ltq_core.testing.cancelling import Cuts
from ltq_core.testing.lab import A_MOMENT, CLOCKS, QUEUE, Lab, label, message
from ltq_core.testing.suite import fact
from ltq_core.testing.unique_publish.keys import Keyed


class PublishingFacts(Keyed):
    """A send whose key is free is like any other; one whose key is held stores nothing."""

    @fact
    async def test_first_message_holds_the_key(self, lab: Lab) -> None:
        """A message whose key is free is published; its own id is returned."""
        first = message("a")

        assert await self.send(lab.broker, first) == first.id
        assert await lab.rest() == ["a"]

    @fact
    async def test_unique_message_arrives_as_it_was_sent(self, lab: Lab) -> None:
        """A message sent with a key keeps its id, all its arguments and its ``ctx``."""
        sent = message("a", note={"of": ["all", 1.5, None]})
        sent.kwargs = {"to": "José", "count": 3}
        await self.send(lab.broker, sent)

        assert await lab.consume() == sent

    @fact
    async def test_unique_messages_keep_the_order(self, lab: Lab) -> None:
        """A message sent with a key neither overtakes those without one nor falls behind."""
        await lab.publish("a")
        await self.send(lab.broker, message("b"))
        await lab.publish("c")

        assert await lab.rest() == ["a", "b", "c"]

    @fact
    async def test_second_message_is_not_stored(self, lab: Lab) -> None:
        """While a key is held, nothing is stored, and the id that stands is returned."""
        first = message("a")
        await self.send(lab.broker, first)

        assert await self.send(await lab.connect(), message("b")) == first.id
        assert await lab.rest() == ["a"]

    @fact
    async def test_holder_published_again_is_one_message(self, lab: Lab) -> None:
        """Publishing the holder again, as after a lost answer, succeeds and changes nothing."""
        first = message("a")
        await self.send(lab.broker, first)

        assert await self.send(lab.broker, first) == first.id
        assert await lab.broker.size(QUEUE) == 1

    @fact
    async def test_message_that_cannot_be_stored_takes_no_key(self, lab: Lab) -> None:
        """A send whose message is no JSON raises EncodeError, and the key stays free."""
        with pytest.raises(EncodeError):
            await self.send(lab.broker, message("a", no_json=object()))
        second = message("b")

        assert await self.send(lab.broker, second) == second.id
        assert await lab.rest() == ["b"]

    @fact
    async def test_negative_delay_of_a_unique_message_is_none(self, lab: Lab) -> None:
        """A unique message with a negative delay overtakes nothing."""
        await lab.publish("a")
        await self.send(lab.broker, message("b"), delay=-60)

        assert await lab.rest() == ["a", "b"]

    @fact
    async def test_delay_of_a_unique_message_is_kept(self, lab: Lab) -> None:
        """A unique message may be delayed; it holds its key meanwhile."""
        start = time.monotonic()
        first = message("a")
        await self.send(lab.broker, first, delay=0.5)
        standing = await self.send(lab.broker, message("b"))
        await lab.consume()

        assert standing == first.id
        assert time.monotonic() - start >= 0.5 - CLOCKS

    @fact
    async def test_unique_publish_wakes_who_waits(self, lab: Lab) -> None:
        """A consumer that waits gets a message that is published with a key."""
        waiting = await lab.still_waits(lab.broker.consume(QUEUE), A_MOMENT)
        await self.send(await lab.connect(), message("a"))

        assert label(await lab.soon(waiting, "the waiting consume")) == "a"

    @fact
    async def test_racing_producers_store_one_message(self, lab: Lab) -> None:
        """Of producers that send with one key at one moment, one wins and all learn who."""
        brokers = [lab.broker, await lab.connect()]
        calls = [self.send(brokers[n % 2], message(f"{n}")) for n in range(40)]
        standing = set(await asyncio.gather(*calls))

        assert len(standing) == 1
        assert {(await lab.consume()).id} == standing
        assert await lab.broker.size(QUEUE) == 0

    @fact
    async def test_cancelled_send_holds_its_key_or_not(self, lab: Lab) -> None:
        """A send with a key that was cancelled happened wholly or not at all."""
        cuts = Cuts()
        for name in cuts.names:
            await cuts.cut(self.send(lab.broker, message(name), name))
            await self.send(lab.broker, message(name), name)

        assert sorted(await lab.rest()) == cuts.names
