"""Brokers that hand out something else than they were given: each fault is caught."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from ltq_core.message import Message
from ltq_core.testing import BrokerConformance
from ltq_memory.broker import MemoryBroker
from ltq_memory.leases import receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ltq_memory.leases import Lease


class Wrong(MemoryBroker):
    """One fault, and the fact that must fail with it."""

    caught_by: ClassVar[str]


class StoresTruthsAsNumbers(Wrong):
    caught_by = "test_values_keep_their_types"

    async def consume(self, queue: str) -> Message:
        received = await super().consume(queue)
        received.args = tuple(int(v) if isinstance(v, bool) else v for v in received.args)
        return received


class WritesWholeNumbersWithoutPoint(Wrong):
    caught_by = "test_values_keep_their_types"

    async def consume(self, queue: str) -> Message:
        received = await super().consume(queue)
        received.kwargs = _without_points(received.kwargs)
        return received


class WritesContextOnItsOwn(Wrong):
    """Its table has a column for ``ctx``, with an encoder of its own."""

    caught_by = "test_values_keep_their_types"

    async def consume(self, queue: str) -> Message:
        received = await super().consume(queue)
        received.ctx = _without_points(received.ctx)
        return received


class KeepsTheSendersContext(Wrong):
    """It encodes the arguments, and keeps a flat copy of the rest."""

    caught_by = "test_later_changes_of_a_sent_message_are_not_seen"
    kept: ClassVar[dict[str, dict[str, Any]]] = {}

    async def publish(self, message: Message, delay: float = 0) -> None:
        self.kept[message.id] = dict(message.ctx)
        await super().publish(message, delay)

    async def consume(self, queue: str) -> Message:
        received = await super().consume(queue)
        received.ctx = dict(self.kept[received.id])
        return received


class HandsOutWhatItWasGiven(Wrong):
    caught_by = "test_sender_does_not_see_what_a_run_changes"
    given: ClassVar[dict[str, Message]] = {}

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        self.given.update({message.id: message for message in messages})
        await super().publish_many(messages, delay)

    async def consume(self, queue: str) -> Message:
        received = await super().consume(queue)
        given = self.given[received.id]
        given.delivery = received.delivery
        return given


class DecodesOnce(Wrong):
    """What a run did to its ``ctx`` is there at the next delivery."""

    caught_by = "test_received_message_is_not_shared"
    decoded: ClassVar[dict[str, dict[str, Any]]] = {}

    async def consume(self, queue: str) -> Message:
        received = await super().consume(queue)
        received.ctx = self.decoded.setdefault(received.id, received.ctx)
        return received


class KeepsTheReturnedObject(Wrong):
    caught_by = "test_returned_message_is_not_shared"
    returned: ClassVar[dict[str, Message]] = {}

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        self.returned[message.id] = message
        await super().nack(message, delay, drop)

    async def consume(self, queue: str) -> Message:
        received = await super().consume(queue)
        if (known := self.returned.get(received.id)) is not None:
            received.args = known.args
        return received


class KeepsEqualPartsOnce(Wrong):
    caught_by = "test_messages_share_nothing"
    parts: ClassVar[dict[str, dict[str, Any]]] = {}

    async def consume(self, queue: str) -> Message:
        received = await super().consume(queue)
        received.ctx = self.parts.setdefault(repr(received.ctx), received.ctx)
        return received


class NormalizesTexts(Wrong):
    caught_by = "test_odd_arguments_arrive_equal"

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        texts = [unicodedata.normalize("NFC", each.to_json().decode()) for each in messages]
        await super().publish_many([Message.from_json(text) for text in texts], delay)


class EncodesBulksInAWayOfItsOwn(Wrong):
    caught_by = "test_odd_arguments_arrive_equal"

    async def publish(self, message: Message, delay: float = 0) -> None:
        await super().publish_many([message], delay)

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        plain = [replace(each, args=_without_points([*each.args])) for each in messages]
        await super().publish_many(plain, delay)


class NacksTheContextOnly(Wrong):
    """Its nack updates one column, and leaves the arguments as they came."""

    caught_by = "test_odd_values_survive_a_nack"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        came = Message.from_json(receipt(message).entry.raw)
        stored = replace(message, args=came.args, kwargs=came.kwargs)
        await super().nack(stored, delay, drop)


class NacksInAscii(Wrong):
    caught_by = "test_odd_values_survive_a_nack"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        text = message.to_json().decode().encode("ascii", "replace")
        stored = replace(Message.from_json(text), delivery=message.delivery)
        await super().nack(stored, delay, drop)


class NacksWithoutPoints(Wrong):
    """The script that stores a nack encodes the ``ctx`` anew, and hands that back."""

    caught_by = "test_odd_values_survive_a_nack"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        message.ctx = _without_points(message.ctx)
        await super().nack(message, delay, drop)


class PassesBadBytesOver(Wrong):
    """It skips what it cannot read, and holds it until it closes: then it waits again."""

    caught_by = "test_bad_bytes_are_settled"

    def _give_up(self, lease: Lease, error: Exception) -> None:
        pass


def _without_points(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_points(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_points(each) for each in value]
    return int(value) if isinstance(value, float) and value == int(value) else value


@pytest.mark.parametrize("wrong", Wrong.__subclasses__(), ids=lambda wrong: wrong.__name__)
def test_wrong_broker_is_caught(wrong: type[Wrong], assert_caught: Callable[..., None]) -> None:
    """The fact that names the fault fails."""
    assert_caught(BrokerConformance, wrong)
