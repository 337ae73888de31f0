"""Brokers that store wrongly at the edges: each fault is caught."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, ClassVar

import pytest

from ltq_core.clock import now
from ltq_core.testing import BrokerConformance
from ltq_memory.broker import MemoryBroker
from ltq_memory.lines import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ltq_core.message import Message


class Wrong(MemoryBroker):
    """One fault, and the fact that must fail with it."""

    caught_by: ClassVar[str]


class StoresAThousandAtMost(Wrong):
    caught_by = "test_large_bulk_arrives_whole"

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        await super().publish_many(messages[:1000], delay)


class SendsItsPartsInNoOrder(Wrong):
    caught_by = "test_large_bulk_arrives_whole"

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        for start in reversed(range(0, len(messages), 500)):
            await super().publish_many(messages[start : start + 500], delay)


class LooksAtTheFirstMessage(Wrong):
    caught_by = "test_empty_bulk_stores_nothing"
    fails_with = IndexError

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        assert messages[0].task_name
        await super().publish_many(messages, delay)


class NumbersItsRows(Wrong):
    """Its guard against doubles covers single messages only."""

    caught_by = "test_message_twice_in_a_bulk_is_stored_once"

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        for number, message in enumerate(messages):
            with self.store.lend(message.task_name) as lent:
                raw = message.to_json() + b" " * number
                self.store.put(lent, [Entry(raw, now() + delay)])


class KeepsTheLastOfTwo(Wrong):
    caught_by = "test_message_twice_in_a_bulk_is_stored_once"

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        last = {message.id: message for message in reversed(messages)}
        await super().publish_many([*reversed(last.values())], delay)


class RefusesWhatRuns(Wrong):
    """It knows a message by its id, and takes the one in flight for a double."""

    caught_by = "test_message_in_flight_published_again_waits"

    async def publish(self, message: Message, delay: float = 0) -> None:
        held = [each for epoch in self.store.epochs(message.task_name) for each in epoch.held]
        if message.to_json() not in [each.entry.raw for each in held]:
            await super().publish(message, delay)


class AddsAnyDelay(Wrong):
    caught_by = "test_negative_delay_overtakes_nothing"

    async def publish(self, message: Message, delay: float = 0) -> None:
        with self.store.lend(message.task_name) as lent:
            self.store.put(lent, [Entry.of(message, now() + delay)])


class AddsAnyDelayInBulk(Wrong):
    caught_by = "test_negative_delay_overtakes_nothing"

    async def publish(self, message: Message, delay: float = 0) -> None:
        await super().publish_many([message], delay)

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        for message in messages:
            with self.store.lend(message.task_name) as lent:
                self.store.put(lent, [Entry.of(message, now() + delay)])


class FindsMessagesByTheirBytes(Wrong):
    """It settles whatever looks like the message, also where it only waits."""

    caught_by = "test_sent_message_cannot_be_settled"

    async def ack(self, message: Message) -> None:
        if message.delivery is not None:
            await super().ack(message)
        with self.store.lend(message.task_name) as lent:
            lent._waiting.pop(message.to_json(), None)


class RaisesAnotherErrorForWhatItDoesNotKnow(Wrong):
    caught_by = "test_sent_message_cannot_be_settled"
    fails_with = ValueError

    async def ack(self, message: Message) -> None:
        if message.delivery is None:
            raise ValueError(f"Message {message.id} was not handed out by a broker.")
        await super().ack(message)


class DropsById(Wrong):
    caught_by = "test_drop_leaves_what_was_published_meanwhile"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        await super().nack(message, delay, drop)
        if drop and await _waits(self, message):
            await self.clear(message.task_name)


class FindsItsPlaceTaken(Wrong):
    """An id may wait once, says its table: the nack of a run that was published again fails."""

    caught_by = "test_nack_beside_its_waiting_message_loses_neither"
    fails_with = RuntimeError

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        if await _waits(self, message):
            raise RuntimeError("UNIQUE constraint failed: message.id")
        await super().nack(message, delay, drop)


class RemovesByIdWhatItNacked(Wrong):
    """It adds, then deletes what had the id before: both of them."""

    caught_by = "test_nack_beside_its_waiting_message_loses_neither"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        waits = await _waits(self, message)
        await super().nack(message, delay, drop)
        if waits:
            await self.clear(message.task_name)


class TakesIdsForOne(Wrong):
    """Its column for ids keeps less of them than they have."""

    caught_by = "test_similar_ids_are_different_messages"

    def stored(self, message_id: str) -> str:
        raise NotImplementedError

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        rows: dict[str, Message] = {}
        for message in messages:
            rows.setdefault(self.stored(message.id), message)
        await super().publish_many([*rows.values()], delay)


class FoldsIds(TakesIdsForOne):
    def stored(self, message_id: str) -> str:
        return message_id.casefold()


class TrimsIds(TakesIdsForOne):
    def stored(self, message_id: str) -> str:
        return message_id.rstrip()


class CutsIds(TakesIdsForOne):
    def stored(self, message_id: str) -> str:
        return message_id[:128]


class NormalizesIds(TakesIdsForOne):
    def stored(self, message_id: str) -> str:
        return unicodedata.normalize("NFC", message_id)


class StoresIdsAsNumbers(TakesIdsForOne):
    """Where they look like numbers, as a column without a type does."""

    def stored(self, message_id: str) -> str:
        try:
            return str(float(message_id))
        except ValueError:
            return message_id


async def _waits(broker: MemoryBroker, message: Message) -> bool:
    return message.id in [each.id for each in await broker.peek(message.task_name, 100)]


WRONG = [*Wrong.__subclasses__(), *TakesIdsForOne.__subclasses__()]
WRONG.remove(TakesIdsForOne)


class MakesTheIdItsPrimaryKey(Wrong):
    """One table holds all queues."""

    caught_by = "test_id_in_two_queues_is_two_messages"

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        rows = {message.id: message for message in messages}
        await super().publish_many(list(rows.values()), delay)


class SettlesById(Wrong):
    """It remembers what it handed out by the id alone."""

    caught_by = "test_id_in_two_queues_is_two_messages"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.handed: dict[str, Message] = {}

    async def consume(self, queue: str) -> Message:
        taken = await super().consume(queue)
        self.handed[taken.id] = taken
        return taken

    async def ack_many(self, messages: Sequence[Message]) -> list[Message]:
        return await super().ack_many([self.handed[one.id] for one in messages])


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_wrong_broker_is_caught(wrong: type[Wrong], assert_caught: Callable[..., None]) -> None:
    """The fact that names the fault fails."""
    assert_caught(BrokerConformance, wrong)
