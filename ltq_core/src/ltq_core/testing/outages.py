"""What a broker owes its callers while its store cannot be reached, and afterwards."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

import pytest

from ltq_core.errors import BrokerUnavailableError, LeaseLostError
from ltq_core.testing.lab import A_MOMENT, A_WHILE, QUEUE, Lab, label, message
from ltq_core.testing.suite import Conformance, fact

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from ltq_core.message import Message

T = TypeVar("T")


class OutageConformance(Conformance):
    """A store that cannot be reached for a while: nothing is hidden, and nothing is lost.

    Define `outage` as well.
    """

    def outage(self) -> AbstractAsyncContextManager[None]:
        """A time in which no connection reaches the store, neither an open nor a new one.

        Usually an ``@asynccontextmanager`` that cuts and refuses connections, or locks what
        they need, until it is left. What the store held, it holds afterwards.
        """
        pytest.skip("outages are not tested: the class defines no outage")

    @fact
    async def test_publish_tells_of_an_outage(self, lab: Lab) -> None:
        """publish and publish_many raise BrokerUnavailableError, and soon, in an outage."""
        await lab.publish("before")
        async with self.outage():
            await _fails(lab, lab.broker.publish(message("a")), "publish()")
            many = [message("b"), message("c")]
            await _fails(lab, lab.broker.publish_many(many), "publish_many()")

    @fact
    async def test_size_tells_of_an_outage(self, lab: Lab) -> None:
        """size raises BrokerUnavailableError, and soon: a store that is away is not empty."""
        await lab.publish("a")
        async with self.outage():
            await _fails(lab, lab.broker.size(QUEUE), "size()")

    @fact
    async def test_published_messages_outlive_an_outage(self, lab: Lab) -> None:
        """What publish returned for before it, and after it by the same broker, is there."""
        await lab.publish("a", "b")
        async with self.outage():
            with suppress(BrokerUnavailableError):
                await lab.soon(lab.broker.publish(message("in doubt")), "publish()")
        after = message("after")
        await _again(lab, lambda: lab.broker.publish(after), "publish()")
        other = await lab.connect()
        taken = await lab.take(await other.size(QUEUE), other)

        assert [name for name in taken if name != "in doubt"] == ["a", "b", "after"]

    @fact
    async def test_settling_tells_of_an_outage(self, lab: Lab) -> None:
        """ack, ack_many and nack do not seem to have settled anything in an outage."""
        await lab.publish("a", "b", "c")
        a, b, c = [await lab.consume() for _ in range(3)]
        async with self.outage():
            await _settles_nothing(lab, lab.broker.ack(a), "ack()")
            await _settles_nothing(lab, lab.broker.ack_many([b]), "ack_many()")
            await _settles_nothing(lab, lab.broker.nack(c, drop=True), "nack()")

    @fact
    async def test_held_messages_outlive_an_outage(self, lab: Lab) -> None:
        """What was held in an outage and could not be settled comes back in the end."""
        worker = await lab.connect()
        await lab.publish("a", "b")
        received = [await lab.consume(worker) for _ in range(2)]
        async with self.outage():
            for each in received:
                with suppress(BrokerUnavailableError, LeaseLostError):
                    await lab.soon(worker.ack(each), "ack()")
        await _again(lab, worker.close, "close()")

        taken = [label(await lab.consume(within=lab.takeover)) for _ in received]
        assert sorted(taken) == ["a", "b"]

    @fact
    async def test_waiting_consume_outlives_an_outage(self, lab: Lab) -> None:
        """A consume that waited raises BrokerUnavailableError or waits on; then it delivers."""
        waiting = await lab.still_waits(lab.broker.consume(QUEUE), A_MOMENT)
        async with self.outage():
            await asyncio.wait([waiting], timeout=A_WHILE)
        sent, other = message("a"), await lab.connect()
        await _again(lab, lambda: other.publish(sent), "publish()")

        assert label(await _delivered(lab, waiting)) == "a"

    @fact
    async def test_consume_works_after_an_outage(self, lab: Lab) -> None:
        """A consume that was called in an outage, and those after it, deliver as ever."""
        await lab.publish("a", "b")
        async with self.outage():
            calling = lab.start(lab.broker.consume(QUEUE))
            await asyncio.wait([calling], timeout=A_WHILE)
        first = await _delivered(lab, calling)

        assert [label(first), label(await lab.consume())] == ["a", "b"]


async def _fails(lab: Lab, call: Awaitable[object], what: str) -> None:
    with pytest.raises(BrokerUnavailableError):
        await lab.soon(call, what)


async def _settles_nothing(lab: Lab, call: Awaitable[list[Message] | None], what: str) -> None:
    try:
        lost = await lab.soon(call, what)
    except (BrokerUnavailableError, LeaseLostError):
        return
    assert lost, f"{what} returned as if it had settled a message of a store that is away"


async def _again(lab: Lab, call: Callable[[], Awaitable[T]], what: str) -> T:
    """What *call* returns once it finds that the store is back."""

    async def insist() -> T:
        while True:
            try:
                return await call()
            except BrokerUnavailableError:
                await asyncio.sleep(A_MOMENT)

    return await lab.soon(insist(), f"{what}, called again and again after the outage,")


async def _delivered(lab: Lab, consuming: asyncio.Future[Message]) -> Message:
    try:
        return await lab.soon(consuming, "the consume() that waited")
    except BrokerUnavailableError:
        return await _again(lab, lambda: lab.broker.consume(QUEUE), "consume()")
