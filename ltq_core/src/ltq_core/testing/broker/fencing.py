"""Facts about a worker that lost its lease and does not know it."""

from __future__ import annotations

import asyncio

import pytest

from ltq_core.errors import LeaseLostError
from ltq_core.testing.lab import OTHER, QUEUE, Lab, labels
from ltq_core.testing.suite import Conformance, fact
from ltq_core.testing.waiting import wait_until


class FencingFacts(Conformance):
    """A worker that lost its lease can settle, requeue, renew and double nothing."""

    @fact
    async def test_late_ack_settles_nothing(self, lab: Lab) -> None:
        """An ack after the lease was lost raises LeaseLostError; who holds it now keeps it."""
        late = await lab.fenced("a")
        with pytest.raises(LeaseLostError):
            await late.do(lambda broker: broker.ack(late.held[0]))
        await lab.broker.nack(lab.stolen[0])

        assert await lab.rest() == ["a"]

    @fact
    async def test_late_nack_doubles_nothing(self, lab: Lab) -> None:
        """A nack after the lease was lost raises LeaseLostError and brings nothing back."""
        late = await lab.fenced("a")
        late.held[0].ctx["tries"] = 1
        with pytest.raises(LeaseLostError):
            await late.do(lambda broker: broker.nack(late.held[0]))

        assert await lab.broker.size(QUEUE) == 0
        await lab.broker.ack(lab.stolen[0])
        assert await lab.rest() == []

    @fact
    async def test_late_drop_removes_nothing(self, lab: Lab) -> None:
        """A drop after the lease was lost raises LeaseLostError; the message can be nacked."""
        late = await lab.fenced("a")
        with pytest.raises(LeaseLostError):
            await late.do(lambda broker: broker.nack(late.held[0], drop=True))
        await lab.broker.nack(lab.stolen[0])

        assert await lab.rest() == ["a"]

    @fact
    async def test_late_settling_touches_no_returned_message(self, lab: Lab) -> None:
        """What waits again is neither moved nor removed by a late retry, drop or ack."""
        late = await lab.fenced("a")
        await lab.broker.nack(lab.stolen[0])
        late.held[0].ctx["tries"] = 1
        with pytest.raises(LeaseLostError):
            await late.do(lambda broker: broker.nack(late.held[0], delay=3600))
        with pytest.raises(LeaseLostError):
            await late.do(lambda broker: broker.nack(late.held[0], drop=True))
        await late.do(lambda broker: broker.ack_many(late.held))
        back = await lab.consume()

        assert "tries" not in back.ctx
        await lab.broker.ack(back)

    @fact
    async def test_old_delivery_settles_no_later_one(self, lab: Lab) -> None:
        """What one worker was handed twice is settled by its second delivery alone."""
        await lab.publish("a")
        old = await lab.consume()
        await lab.broker.nack(old)
        new = await lab.consume()
        with pytest.raises(LeaseLostError):
            await lab.broker.ack(old)
        await lab.broker.nack(new)

        assert await lab.rest() == ["a"]

    @fact
    async def test_closed_worker_settles_nothing(self, lab: Lab) -> None:
        """What `close` gave back is not settled by whoever had it."""
        worker = await lab.connect()
        await lab.publish("a")
        old = await lab.consume(worker)
        await worker.close()
        held = await lab.consume()
        with pytest.raises(LeaseLostError):
            await worker.ack(old)
        await lab.broker.nack(held)

        assert await lab.rest() == ["a"]

    @fact
    async def test_late_bulk_ack_tells_what_was_lost(self, lab: Lab) -> None:
        """ack_many returns what was lost, marked, and settles the rest."""
        late = await lab.fenced("a", "b")
        await lab.publish("new", queue=OTHER)
        await lab.soon(late.hold(OTHER), "consume() of a worker that lost its lease")
        lost = await late.do(lambda broker: broker.ack_many(late.held))
        await lab.broker.ack_many(lab.stolen)

        assert labels(lost) == ["a", "b"]
        assert all(each.delivery and each.delivery.lease_lost for each in lost)
        assert await lab.rest(OTHER) == []

    @fact
    async def test_late_ack_in_a_claim_is_marked(self, lab: Lab) -> None:
        """consume_many marks the acks that came too late, and goes on."""
        late = await lab.fenced("a")
        await lab.publish("new", queue=OTHER)
        got = await late.do(lambda broker: broker.consume_many([OTHER], 1, late.held))
        delivery = late.held[0].delivery

        assert labels(got) == ["new"]
        assert delivery is not None
        assert delivery.lease_lost

    @fact
    async def test_lost_lease_is_not_renewed(self, lab: Lab) -> None:
        """A worker that lost its lease cannot renew it, and learns that it is lost."""
        late = await lab.fenced("a")
        delivery = late.held[0].delivery
        assert delivery is not None
        await asyncio.sleep(1.5 * lab.lease)  # long enough for it to renew what is not its own

        await wait_until(lambda: delivery.lease_lost, lab.patience, "lease_lost is set")
        await lab.broker.ack(lab.stolen[0])
        await late.do(lambda broker: broker.close())
        assert await lab.rest() == []

    @fact
    async def test_closing_late_gives_back_nothing(self, lab: Lab) -> None:
        """A worker that lost its lease gives back nothing when it closes."""
        late = await lab.fenced("a")
        await late.do(lambda broker: broker.close())

        assert await lab.broker.size(QUEUE) == 0
        await lab.broker.ack(lab.stolen[0])
        assert await lab.rest() == []
