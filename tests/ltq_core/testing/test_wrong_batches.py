"""Brokers whose bulk calls go wrong at the edges: each fault is caught."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from ltq_core.testing import BrokerConformance
from ltq_memory.broker import MemoryBroker
from ltq_memory.leases import receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ltq_core.message import Message


class Wrong(MemoryBroker):
    """One fault, and the fact that must fail with it."""

    caught_by: ClassVar[str]


class BringsOneMore(Wrong):
    caught_by = "test_limit_of_one_brings_one"

    async def consume_many(
        self, queues: Sequence[str], limit: int, acks: Sequence[Message] = ()
    ) -> list[Message]:
        return await super().consume_many(queues, limit + 1, acks)


class ForgetsWhatItLeasedAhead(Wrong):
    caught_by = "test_limit_of_one_brings_one"

    async def consume_many(
        self, queues: Sequence[str], limit: int, acks: Sequence[Message] = ()
    ) -> list[Message]:
        return (await super().consume_many(queues, limit + 1, acks))[:limit]


class ReadsOnePage(Wrong):
    """A reply of more than a hundred messages is cut."""

    caught_by = "test_large_limit_loses_nothing"

    async def consume_many(
        self, queues: Sequence[str], limit: int, acks: Sequence[Message] = ()
    ) -> list[Message]:
        return (await super().consume_many(queues, limit, acks))[:100]


class StaysWithTheFirstQueue(Wrong):
    """It looks at the others when that is empty."""

    caught_by = "test_busy_queue_starves_no_other"

    async def consume_many(
        self, queues: Sequence[str], limit: int, acks: Sequence[Message] = ()
    ) -> list[Message]:
        some = queues[:1] if await self.size(queues[0]) else queues
        return await super().consume_many(some, limit, acks)


class AcksAHundredAtMost(Wrong):
    caught_by = "test_many_acks_settle_all"

    async def ack_many(self, messages: Sequence[Message]) -> list[Message]:
        return await super().ack_many(messages[:100])


class AcksAllForNone(Wrong):
    """Without a list of places its query has no condition."""

    caught_by = "test_no_acks_settle_nothing"

    async def ack_many(self, messages: Sequence[Message]) -> list[Message]:
        epoch = self._session.epoch
        if not messages and epoch is not None:
            self.store.ack(list(epoch.held))
        return await super().ack_many(messages)


class StopsAtTheFirstLostAck(Wrong):
    caught_by = "test_settled_acks_hinder_no_others"

    async def ack_many(self, messages: Sequence[Message]) -> list[Message]:
        for number, message in enumerate(messages):
            if lost := await super().ack_many([message]):
                return [*lost, *messages[number + 1 :]]
        return []


class AcksAllOrNothing(Wrong):
    """One of them is gone, and its transaction is undone."""

    caught_by = "test_settled_acks_hinder_no_others"

    async def ack_many(self, messages: Sequence[Message]) -> list[Message]:
        leases = {receipt(message) for message in messages}
        if len(leases) < len(messages) or any(each not in each.epoch.held for each in leases):
            return list(messages)
        return await super().ack_many(messages)


class KnowsWhatItSettled(Wrong):
    """It passes over what is settled, and reports only what another worker may have."""

    caught_by = "test_settled_acks_count_as_lost"

    async def ack_many(self, messages: Sequence[Message]) -> list[Message]:
        return await super().ack_many([each for each in messages if is_open(each)])


class KnowsWhatItSettledInAClaim(Wrong):
    caught_by = "test_settled_acks_count_as_lost"

    async def consume_many(
        self, queues: Sequence[str], limit: int, acks: Sequence[Message] = ()
    ) -> list[Message]:
        acks = [each for each in acks if is_open(each)]
        return await super().consume_many(queues, limit, acks)


class AcksAHundredOfAClaim(Wrong):
    """What is more it leaves to the lease."""

    caught_by = "test_many_acks_settle_all"

    async def consume_many(
        self, queues: Sequence[str], limit: int, acks: Sequence[Message] = ()
    ) -> list[Message]:
        return await super().consume_many(queues, limit, acks[:100])


def is_open(message: Message) -> bool:
    """Whether a message is held, or was until its lease ended."""
    lease = receipt(message)
    return lease in lease.epoch.held or lease in lease.epoch.lost


@pytest.mark.parametrize("wrong", Wrong.__subclasses__(), ids=lambda wrong: wrong.__name__)
def test_wrong_broker_is_caught(wrong: type[Wrong], assert_caught: Callable[..., None]) -> None:
    """The fact that names the fault fails."""
    assert_caught(BrokerConformance, wrong)
