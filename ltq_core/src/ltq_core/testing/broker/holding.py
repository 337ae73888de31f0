"""Facts about a worker that holds a message while it does other things."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ltq_core.testing.cancelling import cut
from ltq_core.testing.lab import A_MOMENT, OTHER, QUEUE, Lab
from ltq_core.testing.suite import Conformance, fact

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ltq_core.broker import Broker
    from ltq_core.message import Message
    from ltq_core.testing.peers import Peer

HELD = 2.0
"""For how many leases a message is held that must be kept."""


class HoldingFacts(Conformance):
    """The lease on one message outlives whatever its worker does besides."""

    @fact
    async def test_lease_is_kept_after_an_ack(self, lab: Lab) -> None:
        """A worker that acked one message still holds another one."""
        await _keeps(lab, lambda worker, other: worker.ack(other))

    @fact
    async def test_lease_is_kept_after_a_nack(self, lab: Lab) -> None:
        """A worker that gave one message back still holds another one."""
        await _keeps(lab, lambda worker, other: worker.nack(other, delay=3600))

    @fact
    async def test_lease_is_kept_after_a_release(self, lab: Lab) -> None:
        """A worker that stops claims no more, and its runs keep their messages."""
        await _keeps(lab, lambda worker, _: worker.release())

    @fact
    async def test_lease_is_kept_after_a_cancelled_consume(self, lab: Lab) -> None:
        """The end of a consume ends no lease: its worker may finish what runs."""
        await _keeps(lab, _wait_in_vain)

    @fact
    async def test_lease_is_kept_while_a_consume_waits(self, lab: Lab) -> None:
        """A worker with room for more waits for it, and keeps what it holds meanwhile."""
        worker = await lab.holder("kept")
        worker.submit(lambda broker: broker.consume(OTHER))
        await _see_it_kept(lab, worker)


async def _keeps(lab: Lab, besides: Callable[[Broker, Message], Awaitable[None]]) -> None:
    worker = await lab.holder("kept", "other")
    other = worker.held.pop()
    await lab.soon(worker.do(lambda broker: besides(broker, other)), "what is done besides")
    await _see_it_kept(lab, worker)


async def _see_it_kept(lab: Lab, worker: Peer) -> None:
    waiting = await lab.still_waits(lab.broker.consume(QUEUE), HELD * lab.lease)
    waiting.cancel()

    assert await worker.do(lambda broker: broker.ack_many(worker.held)) == []


async def _wait_in_vain(broker: Broker, _: Message) -> None:
    waiting = asyncio.ensure_future(broker.consume(OTHER))
    await asyncio.sleep(A_MOMENT)
    await cut(waiting)
