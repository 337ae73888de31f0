"""Facts about when a key is free again."""

from __future__ import annotations

import time

from ltq_core.testing.dead_letters.letters import bury_or_skip
from ltq_core.testing.lab import CLOCKS, OTHER, QUEUE, Lab, message
from ltq_core.testing.suite import fact
from ltq_core.testing.unique_publish.keys import Keyed
from ltq_core.testing.waiting import wait_until


class ReleasingFacts(Keyed):
    """The end of its message frees a key, unless *hold* keeps it longer."""

    @fact
    async def test_ack_releases_the_key(self, lab: Lab) -> None:
        """When its message is done, the key is free."""
        await self.send(lab.broker, message("a"))
        await lab.take(1)
        second = message("b")

        assert await self.send(lab.broker, second) == second.id

    @fact
    async def test_ack_in_a_claim_releases_the_key(self, lab: Lab) -> None:
        """A key is free as well when its message was acked by consume_many."""
        await self.send(lab.broker, message("a"))
        acks = [await lab.consume()]
        await lab.publish("next", queue=OTHER)
        await lab.soon(lab.broker.consume_many([OTHER], 1, acks), "consume_many")
        second = message("b")

        assert await self.send(lab.broker, second) == second.id

    @fact
    async def test_drop_releases_the_key(self, lab: Lab) -> None:
        """When its message is dropped, the key is free."""
        await self.send(lab.broker, message("a"))
        await lab.broker.nack(await lab.consume(), drop=True)
        second = message("b")

        assert await self.send(lab.broker, second) == second.id

    @fact
    async def test_burial_releases_the_key(self, lab: Lab) -> None:
        """When its message is buried, the key is free, where the broker keeps the dead."""
        await self.send(lab.broker, message("a"))
        await bury_or_skip(lab.broker, await lab.consume())
        second = message("b")

        assert await self.send(lab.broker, second) == second.id

    @fact
    async def test_clear_releases_the_keys(self, lab: Lab) -> None:
        """When its queue is cleared, a waiting message's key is free."""
        await self.send(lab.broker, message("a"))
        await self.send(lab.broker, message("b"), key="another", delay=3600)
        await lab.broker.clear(QUEUE)
        again, another = message("c"), message("d")

        assert await self.send(lab.broker, again) == again.id
        assert await self.send(lab.broker, another, key="another") == another.id

    @fact
    async def test_hold_outlasts_the_message(self, lab: Lab) -> None:
        """With *hold* the key stays held for that long, though its message has ended."""
        start = time.monotonic()
        first = message("a")
        await self.send(lab.broker, first, hold=0.6)
        await lab.take(1)
        assert await self.send(lab.broker, message("b")) == first.id

        async def is_free() -> bool:
            second = message("c")
            return await self.send(lab.broker, second) == second.id

        await wait_until(is_free, 0.6 + lab.patience, "the key is free again")
        assert time.monotonic() - start >= 0.6 - CLOCKS

    @fact
    async def test_hold_counts_from_the_send(self, lab: Lab) -> None:
        """A message that ends later than *hold* after its send frees its key at once."""
        await self.send(lab.broker, message("a"), hold=0.1, delay=0.2)
        await lab.take(1)
        second = message("b")

        assert await self.send(lab.broker, second) == second.id

    @fact
    async def test_hold_outlasts_drop_and_clear(self, lab: Lab) -> None:
        """With *hold* the key stays held as well when its message is dropped or cleared."""
        dropped, cleared = message("a"), message("b")
        await self.send(lab.broker, dropped, key="dropped", hold=3600)
        await lab.broker.nack(await lab.consume(), drop=True)
        await self.send(lab.broker, cleared, key="cleared", hold=3600)
        await lab.broker.clear(QUEUE)

        assert await self.send(lab.broker, message("c"), key="dropped") == dropped.id
        assert await self.send(lab.broker, message("d"), key="cleared") == cleared.id

    @fact
    async def test_negative_hold_is_none(self, lab: Lab) -> None:
        """With a negative hold the key is held until the message ends, and no longer."""
        first, second, third = message("a"), message("b"), message("c")
        standing = [await self.send(lab.broker, each, hold=-1e9) for each in (first, second)]
        await lab.take(1)
        standing.append(await self.send(lab.broker, third))

        assert standing == [first.id, first.id, third.id]
