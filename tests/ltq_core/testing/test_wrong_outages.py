"""Brokers that hide an outage of their store, or never get over it: each fault is caught."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, ClassVar

import pytest

from ltq_core.errors import BrokerUnavailableError
from ltq_core.testing import OutageConformance
from ltq_memory.broker import MemoryBroker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from ltq_core.broker import Broker
    from ltq_core.message import Message


class Reached(MemoryBroker):
    """A memory broker whose store can be away; it tells of that as it should."""

    away: ClassVar[bool] = False
    has_failed = False

    def reach(self) -> None:
        """As every call that needs the store begins."""
        if Reached.away:
            self.has_failed = True
            raise BrokerUnavailableError("The store is away.")

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        self.reach()
        await super().publish_many(messages, delay)

    async def consume_many(
        self, queues: Sequence[str], limit: int, acks: Sequence[Message] = ()
    ) -> list[Message]:
        self.reach()
        return await super().consume_many(queues, limit, acks)

    async def ack_many(self, messages: Sequence[Message]) -> list[Message]:
        self.reach()
        return await super().ack_many(messages)

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        self.reach()
        await super().nack(message, delay, drop)

    async def size(self, queue: str) -> int:
        self.reach()
        return await super().size(queue)


class WithOutages(OutageConformance):
    """The kit's facts, with a hook for what is not reached."""

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        Reached.away = True
        try:
            yield
        finally:
            Reached.away = False


class TestReached(WithOutages):
    """What tells of its outages passes."""

    lease = 0.4

    @pytest.fixture
    def make_broker(self) -> Callable[[], Awaitable[Broker]]:
        url = f"memory://{uuid.uuid4().hex}?lease={self.lease}"

        async def make() -> Broker:
            return Reached(url)

        return make


class Wrong(Reached):
    """One fault, and the fact that must fail with it."""

    caught_by: ClassVar[str]


class SwallowsWhatItCannotPublish(Wrong):
    caught_by = "test_publish_tells_of_an_outage"

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        with suppress(BrokerUnavailableError):
            await super().publish_many(messages, delay)


class SwallowsABulk(Wrong):
    caught_by = "test_publish_tells_of_an_outage"

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        try:
            await super().publish_many(messages, delay)
        except BrokerUnavailableError:
            if len(messages) == 1:
                raise


class PublishesForEver(Wrong):
    """It waits for the store, however long its caller must wait with it."""

    caught_by = "test_publish_tells_of_an_outage"

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        if Reached.away:
            await asyncio.Event().wait()
        await super().publish_many(messages, delay)


class RaisesItsClientsError(Wrong):
    caught_by = "test_publish_tells_of_an_outage"
    fails_with = ConnectionRefusedError

    def reach(self) -> None:
        if Reached.away:
            raise ConnectionRefusedError


class CountsNothingWhileAway(Wrong):
    caught_by = "test_size_tells_of_an_outage"

    async def size(self, queue: str) -> int:
        try:
            return await super().size(queue)
        except BrokerUnavailableError:
            return 0


class StaysBroken(Wrong):
    """It never opens another connection."""

    caught_by = "test_published_messages_outlive_an_outage"

    def reach(self) -> None:
        super().reach()
        if self.has_failed:
            raise BrokerUnavailableError("The connection is closed.")


class PublishesLater(Wrong):
    """It returns before the store has what is to be kept, and drops that in an outage."""

    caught_by = "test_published_messages_outlive_an_outage"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.buffer: list[Message] = []

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        if Reached.away:
            self.buffer.clear()
        self.reach()
        self.buffer.extend(messages)

    async def size(self, queue: str) -> int:
        await super().publish_many(self.buffer)
        return await super().size(queue)


class SettlesInVain(Wrong):
    """What it cannot ack counts as acked."""

    caught_by = "test_settling_tells_of_an_outage"

    async def ack_many(self, messages: Sequence[Message]) -> list[Message]:
        with suppress(BrokerUnavailableError):
            return await super().ack_many(messages)
        return []


class DropsInVain(Wrong):
    caught_by = "test_settling_tells_of_an_outage"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        with suppress(BrokerUnavailableError):
            await super().nack(message, delay, drop)


class ForgetsWhatItCannotSettle(Wrong):
    """It no longer renews or gives back what it could not ack, and nobody else may have it."""

    caught_by = "test_held_messages_outlive_an_outage"

    async def ack_many(self, messages: Sequence[Message]) -> list[Message]:
        try:
            return await super().ack_many(messages)
        except BrokerUnavailableError:
            await MemoryBroker.ack_many(self, messages)
            raise


class NeverWakesAgain(Wrong):
    """Its subscription ends with its connection, and nothing subscribes again."""

    caught_by = "test_waiting_consume_outlives_an_outage"

    async def consume(self, queue: str) -> Message:
        consuming = asyncio.ensure_future(super().consume(queue))
        try:
            while not consuming.done():
                if Reached.away:
                    await asyncio.Event().wait()
                await asyncio.wait([consuming], timeout=0.01)
            return consuming.result()
        finally:
            consuming.cancel()
            await asyncio.wait([consuming])


class ConsumesNothingAfterwards(Wrong):
    caught_by = "test_consume_works_after_an_outage"

    async def consume(self, queue: str) -> Message:
        try:
            return await super().consume(queue)
        except BrokerUnavailableError:
            return await asyncio.Future()


@pytest.mark.parametrize("wrong", Wrong.__subclasses__(), ids=lambda wrong: wrong.__name__)
def test_wrong_broker_is_caught(wrong: type[Wrong], assert_caught: Callable[..., None]) -> None:
    """The fact that names the fault fails."""
    assert_caught(WithOutages, wrong)


def test_class_without_an_outage_skips_and_says_why() -> None:
    """Nothing passes that was not looked at."""
    with pytest.raises(pytest.skip.Exception, match="the class defines no outage"):
        OutageConformance().outage()
