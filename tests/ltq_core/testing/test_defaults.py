"""A broker that writes only what it must keeps every promise: the defaults are right."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from ltq_core.broker import Broker
from ltq_core.errors import LeaseLostError
from ltq_core.testing import BrokerConformance
from ltq_memory.broker import MemoryBroker
from ltq_memory.lines import Entry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from ltq_core.message import Message


class PlainBroker(MemoryBroker):
    """The abstract methods alone; all else is the base class's."""

    async def publish(self, message: Message, delay: float = 0) -> None:
        await super().publish_many([message], delay)

    async def consume(self, queue: str) -> Message:
        return (await super().consume_many([queue], 1))[0]

    async def ack(self, message: Message) -> None:
        if await super().ack_many([message]):
            raise LeaseLostError

    async def close(self) -> None:
        await super().close()

    publish_many = Broker.publish_many
    consume_many = Broker.consume_many
    ack_many = Broker.ack_many


class TestPlainBroker(BrokerConformance):
    """The contract, by the defaults."""

    lease = 0.8

    @pytest.fixture
    def make_broker(self) -> Callable[[], Awaitable[Broker]]:
        self.url = f"memory://{uuid.uuid4().hex}?lease=0.8"

        async def make() -> Broker:
            return PlainBroker(self.url)

        return make

    async def put_raw(self, broker: Broker, queue: str, data: bytes) -> None:
        assert isinstance(broker, PlainBroker)
        with broker.store.lend(queue) as lent:
            broker.store.put(lent, [Entry(data, due=0)])

    async def leftovers(self) -> Collection[str]:
        return list(PlainBroker(self.url).store._queues)
