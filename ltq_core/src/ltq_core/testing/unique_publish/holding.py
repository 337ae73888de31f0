"""Facts about how a message holds its key."""

from __future__ import annotations

import pytest

from ltq_core.errors import LeaseLostError
from ltq_core.testing.lab import QUEUE, Lab, label, message
from ltq_core.testing.suite import fact
from ltq_core.testing.unique_publish.keys import Keyed


class HoldingFacts(Keyed):
    """A message holds its key until it ends, whatever happens to it meanwhile."""

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
    async def test_clear_keeps_the_keys_in_flight(self, lab: Lab) -> None:
        """Clearing a queue does not free the key of a message in flight."""
        first = message("a")
        await self.send(lab.broker, first)
        await lab.consume()
        await lab.broker.clear(QUEUE)

        assert await self.send(lab.broker, message("b")) == first.id

    @fact
    async def test_message_outlasts_its_hold(self, lab: Lab) -> None:
        """A message that has not ended holds its key when *hold* is over."""
        first = message("a")
        await self.send(lab.broker, first, hold=0.05, delay=0.2)
        await lab.consume()

        assert await self.send(lab.broker, message("b")) == first.id
