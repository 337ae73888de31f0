"""Brokers that settle, batch and cancel wrongly, as real ones did: each fault is caught."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, ClassVar

import pytest

from ltq_core.testing import BrokerConformance
from ltq_memory.broker import MemoryBroker
from ltq_memory.leases import lost, receipt
from ltq_memory.store import Store
from ltq_memory.waiters import Waiter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ltq_core.message import Message
    from ltq_memory.leases import Lease
    from ltq_memory.queues import Queue
    from ltq_memory.session import Session


class Wrong(MemoryBroker):
    """One fault, and the fact that must fail with it."""

    caught_by: ClassVar[str]


class AcksByEquality(Wrong):
    """It looks for the bytes that the message has now, not for those that were claimed."""

    caught_by = "test_ack_knows_a_message_whose_context_changed"

    async def ack(self, message: Message) -> None:
        if message.to_json() == receipt(message).entry.raw:
            await super().ack(message)


class AcksAllThatLookAlike(Wrong):
    """It settles by task and arguments."""

    caught_by = "test_ack_settles_one_of_two_equal_messages"

    async def ack(self, message: Message) -> None:
        await super().ack(message)
        for twin in await self.peek(message.task_name):
            if twin.args == message.args:
                await self.clear(message.task_name)


class RetriesTheOldMessage(Wrong):
    caught_by = "test_nack_stores_the_message_as_it_is_now"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        original = message.from_json(receipt(message).entry.raw)
        original.delivery = message.delivery
        await super().nack(original, delay, drop)


class NacksToTheEnd(Wrong):
    caught_by = "test_nacked_message_stands_at_its_old_place"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        await super().nack(message, max(delay, 1e-6), drop)


class NacksToTheFront(Wrong):
    """What is given back last goes first."""

    caught_by = "test_nacked_messages_keep_their_order"
    places = count(-1, -1)

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        entry = receipt(message).entry
        entry.due, entry.place = 0, next(self.places)
        await super().nack(message, delay, drop)


class IsDueWhenItIsClaimed(Wrong):
    caught_by = "test_nack_keeps_the_due_time"

    async def consume(self, queue: str) -> Message:
        received = await super().consume(queue)
        received.delivery.due_at = received.delivery.claimed_at
        return received


class IsDueWhenItWasFirst(Wrong):
    caught_by = "test_nack_with_delay_sets_the_due_time"

    async def consume(self, queue: str) -> Message:
        received = await super().consume(queue)
        received.delivery.due_at = received.ctx.setdefault("due", received.delivery.due_at)
        return received


class NacksAtOnce(Wrong):
    caught_by = "test_nack_with_delay_waits"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        await super().nack(message, 0, drop)


class DropsNothing(Wrong):
    caught_by = "test_dropped_message_never_comes_back"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        await super().nack(message, delay)


class RequeuesInTwoSteps(Wrong):
    """It removes, then adds: what happens in between loses the message."""

    caught_by = "test_cancelled_nack_loses_nothing"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        await self.ack(message)
        await asyncio.sleep(0)
        if not drop:
            await self.publish(message, delay)


class AddsBeforeItRemoves(Wrong):
    """The other way round, the message is doubled."""

    caught_by = "test_cancelled_nack_loses_nothing"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        if not drop:
            await self.publish(message, delay)
        await asyncio.sleep(0)
        await self.ack(message)


class LosesWhatACancelledConsumeLeased(Wrong):
    caught_by = "test_cancelled_consume_loses_nothing"

    async def consume(self, queue: str) -> Message:
        received = await super().consume(queue)
        await asyncio.sleep(0)  # say, a second round trip for the payload
        return received


class LosesWhatASlowDiskLeased(Wrong):
    """Likewise, a thousand turns of the event loop later."""

    caught_by = "test_cancelled_consume_loses_nothing"

    async def consume(self, queue: str) -> Message:
        await asyncio.sleep(0.01)
        received = await super().consume(queue)
        await asyncio.sleep(0.003)
        return received


class RequeuesInTwoSlowSteps(Wrong):
    caught_by = "test_cancelled_nack_loses_nothing"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        await asyncio.sleep(0.01)
        await self.ack(message)
        await asyncio.sleep(0.003)
        await self.publish(message, delay)


class LosesWhatACancelledBatchLeased(Wrong):
    caught_by = "test_cancelled_batch_loses_nothing"

    async def consume_many(
        self, queues: Sequence[str], limit: int, acks: Sequence[Message] = ()
    ) -> list[Message]:
        received = await super().consume_many(queues, limit, acks)
        await asyncio.sleep(0)
        return received


class IgnoresItsCancellation(Wrong):
    """It takes every failure for one of its store's, and tries again."""

    caught_by = "test_waiting_consume_ends_when_it_is_cancelled"

    async def consume(self, queue: str) -> Message:
        while True:
            with suppress(asyncio.CancelledError):
                return await super().consume(queue)


class IgnoresTheCancellationOfABatch(Wrong):
    caught_by = "test_waiting_batch_ends_when_it_is_cancelled"

    async def consume_many(
        self, queues: Sequence[str], limit: int, acks: Sequence[Message] = ()
    ) -> list[Message]:
        while True:
            with suppress(asyncio.CancelledError):
                return await super().consume_many(queues, limit, acks)


class WakesWhoHasGone(Wrong):
    """It wakes one consumer for a message, and forgets it if that one was cancelled."""

    caught_by = "test_cancelled_consumer_passes_its_turn_on"

    class Store(Store):
        turns: ClassVar[list[Waiter]] = []

        def claim(
            self, session: Session, names: Sequence[str], limit: int
        ) -> list[Lease] | Waiter:
            found = super().claim(session, names, limit)
            if isinstance(found, Waiter):
                self.turns.append(found)
            return found

        def wake(self, queue: Queue) -> None:
            if self.turns:
                self._wake(self.turns.pop(0))

    def __init__(self, url: str) -> None:
        super().__init__()
        self.store = self._session._store = self.Store()


class ExceedsTheLimit(Wrong):
    caught_by = "test_batch_respects_its_limit"

    async def consume_many(
        self, queues: Sequence[str], limit: int, acks: Sequence[Message] = ()
    ) -> list[Message]:
        return await super().consume_many(queues, 10 * limit, acks)


class WaitsToFillItsBatch(Wrong):
    caught_by = "test_batch_does_not_wait_to_be_full"

    async def consume_many(
        self, queues: Sequence[str], limit: int, acks: Sequence[Message] = ()
    ) -> list[Message]:
        received = await super().consume_many(queues, limit, acks)
        while len(received) < limit:
            received += await super().consume_many(queues, limit - len(received))
        return received


class ServesTheFirstQueueFirst(Wrong):
    caught_by = "test_every_queue_gets_its_share"

    async def consume_many(
        self, queues: Sequence[str], limit: int, acks: Sequence[Message] = ()
    ) -> list[Message]:
        full = [queue for queue in queues if await self.size(queue)]
        return await super().consume_many(full[:1] or queues, limit, acks)


class AcksWhenMessagesCome(Wrong):
    caught_by = "test_acks_are_settled_while_a_claim_waits"

    async def consume_many(
        self, queues: Sequence[str], limit: int, acks: Sequence[Message] = ()
    ) -> list[Message]:
        received = await super().consume_many(queues, limit)
        await self.ack_many(acks)
        return received


class SettlesAheadOfTheRun(Wrong):
    """It prefetches, and takes what it prefetched out of the store."""

    caught_by = "test_closing_gives_back_a_whole_batch"

    async def consume_many(
        self, queues: Sequence[str], limit: int, acks: Sequence[Message] = ()
    ) -> list[Message]:
        received = await super().consume_many(queues, limit + 3, acks)
        await self.ack_many(received[limit:])
        return received[:limit]


class FailsAClaimForALateAck(Wrong):
    caught_by = "test_late_ack_in_a_claim_is_marked"
    fails_with = Exception

    async def consume_many(
        self, queues: Sequence[str], limit: int, acks: Sequence[Message] = ()
    ) -> list[Message]:
        for late in await self.ack_many(acks):
            raise lost(late)
        return await super().consume_many(queues, limit)


class KeepsWhatItHoldsWhenItCloses(Wrong):
    caught_by = "test_closing_gives_back_at_once"

    async def close(self) -> None:
        self._session.drop()


class NacksIntoThePast(Wrong):
    """It adds any delay to the time at which the message was due."""

    caught_by = "test_nack_with_negative_delay_overtakes_nothing"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        receipt(message).entry.due += min(delay, 0)
        await super().nack(message, delay, drop)


@pytest.mark.parametrize("wrong", Wrong.__subclasses__(), ids=lambda wrong: wrong.__name__)
def test_wrong_broker_is_caught(wrong: type[Wrong], assert_caught: Callable[..., None]) -> None:
    """The fact that names the fault fails."""
    assert_caught(BrokerConformance, wrong)
