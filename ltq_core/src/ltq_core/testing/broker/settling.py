"""Facts about ack and nack."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import pytest

from ltq_core.errors import EncodeError, LeaseLostError
from ltq_core.testing.lab import CLOCKS, QUEUE, Lab, label, message
from ltq_core.testing.suite import Conformance, fact


class SettlingFacts(Conformance):
    """A message is settled once, by its receipt, in one step."""

    @fact
    async def test_acked_message_never_comes_back(self, lab: Lab) -> None:
        """A message that was acked is gone, also when its worker leaves."""
        worker = await lab.connect()
        await lab.publish("a")
        await worker.ack(await lab.consume(worker))
        await worker.close()

        assert await lab.rest() == []

    @fact
    async def test_acked_message_is_gone_when_its_worker_dies(self, lab: Lab) -> None:
        """Only what was not acked comes back from a dead worker."""
        worker = await lab.holder("done", "held")
        await worker.do(lambda broker: broker.ack(worker.held[0]))
        await lab.crash(worker)

        assert label(await lab.consume(within=lab.takeover)) == "held"
        assert await lab.rest() == []

    @fact
    async def test_ack_knows_a_message_whose_context_changed(self, lab: Lab) -> None:
        """Identity is the receipt: a run may have changed ``ctx``."""
        worker = await lab.connect()
        await lab.publish("a")
        received = await lab.consume(worker)
        received.ctx["seen"] = True
        await worker.ack(received)
        await worker.close()

        assert await lab.rest() == []

    @fact
    async def test_ack_knows_a_message_whose_arguments_changed(self, lab: Lab) -> None:
        """Identity is the receipt: a run may have changed the arguments in place."""
        worker = await lab.connect()
        await lab.publish("a")
        received = await lab.consume(worker)
        received.args, received.kwargs = (), {"changed": 1}
        await worker.ack(received)
        await worker.close()

        assert await lab.rest() == []

    @fact
    async def test_nack_stores_the_message_as_it_is_now(self, lab: Lab) -> None:
        """A nacked message comes back once, with the ``ctx`` that its run left."""
        worker = await lab.connect()
        await lab.publish("a")
        received = await lab.consume(worker)
        received.ctx["tries"] = 1
        await worker.nack(received)
        await worker.close()

        assert (await lab.consume()).ctx.get("tries") == 1
        assert await lab.rest() == []

    @fact
    async def test_nacked_message_stands_at_its_old_place(self, lab: Lab) -> None:
        """A message that is given back without a delay goes before those behind it."""
        await lab.publish("a", "b", "c")
        received = await lab.consume()
        received.ctx["seen"] = True
        await lab.broker.nack(received)

        assert await lab.take(3) == ["a", "b", "c"]

    @fact
    async def test_nacked_messages_keep_their_order(self, lab: Lab) -> None:
        """Messages that are given back in any order stand again as they stood."""
        await lab.publish("a", "b", "c", "d")
        a, b, c = [await lab.consume() for _ in range(3)]
        for each in (a, c, b):
            await lab.broker.nack(each)

        assert await lab.take(4) == ["a", "b", "c", "d"]

    @fact
    async def test_nack_keeps_the_due_time(self, lab: Lab) -> None:
        """A message that is given back without a delay was due when it was due before."""
        await lab.publish("a")
        dues = []
        for _ in range(2):
            received = await lab.consume()
            assert received.delivery is not None
            dues.append(received.delivery.due_at)
            await asyncio.sleep(2 * CLOCKS)
            await lab.broker.nack(received)

        assert dues[1] == pytest.approx(dues[0], abs=CLOCKS)

    @fact
    async def test_nack_with_delay_sets_the_due_time(self, lab: Lab) -> None:
        """A message that is nacked with a delay says that it was due when it was over."""
        await lab.publish("a")
        first = await lab.consume()
        await lab.broker.nack(first, delay=0.2)
        second = await lab.consume()

        assert first.delivery is not None
        assert second.delivery is not None
        assert second.delivery.due_at >= first.delivery.claimed_at + 0.2 - CLOCKS
        assert second.delivery.due_at <= second.delivery.claimed_at + CLOCKS

    @fact
    async def test_nack_with_delay_waits(self, lab: Lab) -> None:
        """A message that is nacked with a delay is not handed out before it is over."""
        await lab.publish("a")
        received = await lab.consume()
        start = time.monotonic()
        await lab.broker.nack(received, delay=0.5)
        await lab.consume()

        assert time.monotonic() - start >= 0.5 - CLOCKS

    @fact
    async def test_nack_with_delay_lets_others_go_first(self, lab: Lab) -> None:
        """A message that waits for its delay holds nothing else up."""
        await lab.publish("a", "b")
        await lab.broker.nack(await lab.consume(), delay=0.5)

        assert await lab.take(2) == ["b", "a"]

    @fact
    async def test_nack_with_negative_delay_overtakes_nothing(self, lab: Lab) -> None:
        """A negative delay of a nack is none: the message stands at its old place."""
        await lab.publish("a", "b", "c")
        first, second = [await lab.consume() for _ in range(2)]
        await lab.broker.nack(first)
        await lab.broker.nack(second, delay=-60)

        assert await lab.rest() == ["a", "b", "c"]

    @fact
    async def test_nacked_message_waits_again(self, lab: Lab) -> None:
        """A nacked message counts as waiting."""
        await lab.publish("a")
        await lab.broker.nack(await lab.consume(), delay=3600)

        assert await lab.broker.size(QUEUE) == 1

    @fact
    async def test_dropped_message_never_comes_back(self, lab: Lab) -> None:
        """A message that is nacked with drop is gone, whatever the delay."""
        worker = await lab.connect()
        await lab.publish("a")
        received = await lab.consume(worker)
        received.ctx["tries"] = 3
        await worker.nack(received, delay=0.1, drop=True)
        await worker.close()

        assert await lab.broker.size(QUEUE) == 0
        assert await lab.rest() == []

    @fact
    async def test_nack_that_cannot_be_stored_keeps_the_lease(self, lab: Lab) -> None:
        """A nack whose ``ctx`` is no JSON raises EncodeError, and the message is still held."""
        await lab.publish("a")
        received = await lab.consume()
        received.ctx["no json"] = object()
        with pytest.raises(EncodeError):
            await lab.broker.nack(received)
        await lab.broker.ack(received)

        assert await lab.rest() == []

    @fact
    async def test_ack_stores_nothing(self, lab: Lab) -> None:
        """A message whose ``ctx`` is no JSON can be acked: nothing of it is kept."""
        worker = await lab.connect()
        await lab.publish("a")
        received = await lab.consume(worker)
        received.ctx["no json"] = object()
        await worker.ack(received)
        await worker.close()

        assert await lab.rest() == []

    @fact
    async def test_drop_stores_nothing(self, lab: Lab) -> None:
        """A message whose ``ctx`` is no JSON can be dropped: nothing of it is kept."""
        await lab.publish("a")
        received = await lab.consume()
        received.ctx["no json"] = object()
        await lab.broker.nack(received, drop=True)

        assert await lab.rest() == []

    @fact
    async def test_settled_message_cannot_be_settled_again(self, lab: Lab) -> None:
        """A nack after the ack, by mistake, brings nothing back."""
        await lab.publish("a")
        received = await lab.consume()
        await lab.broker.ack(received)
        with suppress(LeaseLostError):
            await lab.broker.nack(received)

        assert await lab.rest() == []

    @fact
    async def test_ack_settles_one_of_two_equal_messages(self, lab: Lab) -> None:
        """Messages with the same arguments are two: acking one leaves the other."""
        await lab.broker.publish_many([message("twin"), message("twin")])
        await lab.take(1)

        assert await lab.rest() == ["twin"]

    @fact
    async def test_ack_many_settles_all(self, lab: Lab) -> None:
        """Messages that are acked in bulk are gone, and none counts as lost."""
        worker = await lab.connect()
        await lab.publish("a", "b", "c")
        received = [await lab.consume(worker) for _ in range(3)]
        lost = await worker.ack_many(received)
        await worker.close()

        assert lost == []
        assert await lab.rest() == []
