"""Facts about unique keys."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from ltq_core.abilities import UniquePublish
from ltq_core.errors import EncodeError, LeaseLostError
from ltq_core.testing.ability import AbilityConformance
from ltq_core.testing.cancelling import Cuts
from ltq_core.testing.dead_letters.letters import bury_or_skip
from ltq_core.testing.lab import A_MOMENT, CLOCKS, OTHER, QUEUE, Lab, label, message
from ltq_core.testing.suite import fact
from ltq_core.testing.waiting import wait_until
from ltq_core.testing.walks.facts import KeyWalks

if TYPE_CHECKING:
    from ltq_core.broker import Broker
    from ltq_core.message import Message

SIMILAR = (
    "key",
    "Key",
    "key ",
    "ke",
    "k_y",
    "k%",
    "k*",
    "k:y",
    *(199 * "k" + end for end in "12"),
)
"""Keys that a store takes for one if it folds, trims, matches or cuts them."""


class UniquePublishConformance(KeyWalks, AbilityConformance[UniquePublish]):
    """A key is held by one message, from its send to its end."""

    ability = UniquePublish

    async def send(
        self, broker: Broker, sent: Message, key: str = "key", hold: float = 0, delay: float = 0
    ) -> str:
        """Publish *sent* with a key, as a task does."""
        sent.ctx["unique"] = key
        return await self.of(broker).publish_unique(sent, key, hold, delay)

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
    async def test_keys_are_apart(self, lab: Lab) -> None:
        """Another key, and the same key in another queue, are free."""
        await self.send(lab.broker, message("a"))
        await self.send(lab.broker, message("b"), key="another")
        await self.send(lab.broker, message("c", OTHER))

        assert (await lab.rest(), await lab.rest(OTHER)) == (["a", "b"], ["c"])

    @fact
    async def test_similar_keys_are_different(self, lab: Lab) -> None:
        """Keys are compared whole, sign by sign."""
        sent = [message(key) for key in SIMILAR]
        standing = [await self.send(lab.broker, each, key=label(each)) for each in sent]

        assert standing == [each.id for each in sent]

    @fact
    async def test_empty_key_is_a_key(self, lab: Lab) -> None:
        """A key without a sign is held and released like any other."""
        first, second, third = message("a"), message("b"), message("c")
        standing = [await self.send(lab.broker, each, key="") for each in (first, second)]
        await lab.take(1)
        standing.append(await self.send(lab.broker, third, key=""))

        assert standing == [first.id, first.id, third.id]

    @fact
    async def test_message_that_cannot_be_stored_takes_no_key(self, lab: Lab) -> None:
        """A send whose message is no JSON raises EncodeError, and the key stays free."""
        with pytest.raises(EncodeError):
            await self.send(lab.broker, message("a", no_json=object()))
        second = message("b")

        assert await self.send(lab.broker, second) == second.id
        assert await lab.rest() == ["b"]

    @fact
    async def test_negative_hold_is_none(self, lab: Lab) -> None:
        """With a negative hold the key is held until the message ends, and no longer."""
        first, second, third = message("a"), message("b"), message("c")
        standing = [await self.send(lab.broker, each, hold=-1e9) for each in (first, second)]
        await lab.take(1)
        standing.append(await self.send(lab.broker, third))

        assert standing == [first.id, first.id, third.id]

    @fact
    async def test_negative_delay_of_a_unique_message_is_none(self, lab: Lab) -> None:
        """A unique message with a negative delay overtakes nothing."""
        await lab.publish("a")
        await self.send(lab.broker, message("b"), delay=-60)

        assert await lab.rest() == ["a", "b"]

    @fact
    async def test_key_is_no_part_of_a_name(self, lab: Lab) -> None:
        """A key is not mistaken for one of another queue whose name ends as it begins."""
        for sign in " -_/.|#":
            first, second = message("a", "some:task"), message("b", f"some:task{sign}key")

            assert await self.send(lab.broker, first, f"key{sign}{sign}") == first.id
            assert await self.send(lab.broker, second, sign) == second.id

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
    async def test_key_is_held_while_its_message_runs(self, lab: Lab) -> None:
        """A message in flight holds its key."""
        first = message("a")
        await self.send(lab.broker, first)
        await lab.consume()

        assert await self.send(lab.broker, message("b")) == first.id

    @fact
    async def test_key_is_held_through_a_retry(self, lab: Lab) -> None:
        """A message that was nacked with a changed ``ctx`` still holds its key."""
        first = message("a")
        await self.send(lab.broker, first)
        received = await lab.consume()
        received.ctx["tries"] = 1
        await lab.broker.nack(received, delay=3600)

        assert await self.send(lab.broker, message("b")) == first.id

    @fact
    async def test_key_is_held_when_its_message_is_returned(self, lab: Lab) -> None:
        """A message that was nacked without a delay holds its key, waiting and running."""
        first = message("a")
        await self.send(lab.broker, first)
        await lab.broker.nack(await lab.consume())
        waiting = await self.send(lab.broker, message("b"))
        await lab.consume()
        running = await self.send(lab.broker, message("c"))

        assert [waiting, running] == [first.id, first.id]

    @fact
    async def test_key_is_held_when_its_worker_leaves(self, lab: Lab) -> None:
        """A message that a closing worker gave back holds its key."""
        worker = await lab.connect()
        first = message("a")
        await self.send(lab.broker, first)
        await lab.consume(worker)
        await worker.close()

        assert await self.send(lab.broker, message("b")) == first.id

    @fact
    async def test_key_is_held_when_its_worker_dies(self, lab: Lab) -> None:
        """A message whose worker died holds its key, before and after it is back."""
        victim = await lab.peer()
        first = message("a")
        await self.send(lab.broker, first)
        await lab.soon(victim.hold(QUEUE), "consume() of a second connection")
        await lab.crash(victim)
        dead = await self.send(lab.broker, message("b"))
        await lab.consume(within=lab.takeover)
        back = await self.send(lab.broker, message("c"))

        assert [dead, back] == [first.id, first.id]

    @fact
    async def test_late_settling_frees_no_key(self, lab: Lab) -> None:
        """A worker that lost its lease cannot free a key, whether it acks or drops."""
        late = await lab.peer()
        sent = [message("a"), message("b")]
        for each in sent:
            await self.send(lab.broker, each, key=label(each))
        await lab.soon(late.hold(QUEUE, 2), "consume() of a second connection")
        await lab.freeze(late)
        for _ in sent:
            await lab.consume(within=lab.takeover)
        await lab.thaw(late)
        with pytest.raises(LeaseLostError):
            await late.do(lambda broker: broker.ack(late.held[0]))
        with pytest.raises(LeaseLostError):
            await late.do(lambda broker: broker.nack(late.held[1], drop=True))

        standing = [await self.send(lab.broker, message("c"), key=key) for key in "ab"]
        assert standing == [each.id for each in sent]

    @fact
    async def test_only_the_holder_frees_its_key(self, lab: Lab) -> None:
        """A message that names a key without holding it, as one requeued, does not free it."""
        await lab.broker.publish(message("stray", unique="key"))
        first = message("a")
        await self.send(lab.broker, first)
        taken = await lab.take(1)

        assert taken == ["stray"]
        assert await self.send(lab.broker, message("b")) == first.id

    @fact
    async def test_second_ack_frees_no_other_holder(self, lab: Lab) -> None:
        """Acking again what has ended does not free a key that another message took since."""
        await self.send(lab.broker, message("a"))
        ended = await lab.consume()
        await lab.broker.ack(ended)
        second = message("b")
        await self.send(lab.broker, second)
        await lab.broker.ack_many([ended])

        assert await self.send(lab.broker, message("c")) == second.id

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
    async def test_clear_keeps_the_keys_in_flight(self, lab: Lab) -> None:
        """Clearing a queue does not free the key of a message in flight."""
        first = message("a")
        await self.send(lab.broker, first)
        await lab.consume()
        await lab.broker.clear(QUEUE)

        assert await self.send(lab.broker, message("b")) == first.id

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
    async def test_message_outlasts_its_hold(self, lab: Lab) -> None:
        """A message that has not ended holds its key when *hold* is over."""
        first = message("a")
        await self.send(lab.broker, first, hold=0.05, delay=0.2)
        await lab.consume()

        assert await self.send(lab.broker, message("b")) == first.id

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
