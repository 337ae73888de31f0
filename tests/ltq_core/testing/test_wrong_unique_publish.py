"""Brokers that hold unique keys wrongly, as real ones did: each fault is caught."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

import pytest

from ltq_core.clock import now
from ltq_core.testing import UniquePublishConformance
from ltq_memory.broker import MemoryBroker

if TYPE_CHECKING:
    from collections.abc import Callable

    from ltq_core.message import Message


class Wrong(MemoryBroker):
    """One fault, and the fact that must fail with it."""

    caught_by: ClassVar[str]


class LooksThenStores(Wrong):
    caught_by = "test_racing_producers_store_one_message"

    async def publish_unique(
        self, message: Message, key: str, hold: float = 0, delay: float = 0
    ) -> str:
        for standing in await self.peek(message.task_name):
            if standing.ctx.get("unique") == key:
                return standing.id
        await asyncio.sleep(0)
        await self.publish(message, delay)
        return message.id


class HoldsKeysOnlyWhileWaiting(Wrong):
    caught_by = "test_key_is_held_while_its_message_runs"

    async def publish_unique(
        self, message: Message, key: str, hold: float = 0, delay: float = 0
    ) -> str:
        for standing in await self.peek(message.task_name):
            if standing.ctx.get("unique") == key:
                return standing.id
        await self.publish(message, delay)
        return message.id


class KeepsKeysOfClearedMessages(Wrong):
    caught_by = "test_clear_releases_the_keys"

    async def clear(self, queue: str) -> None:
        with self.store.lend(queue) as lent:
            for entry in lent.first(1000):
                entry.unique = None
            lent.clear(now())


class FreesKeysOnRetry(Wrong):
    caught_by = "test_key_is_held_through_a_retry"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        await self.ack(message)
        await self.publish(message, delay)


class HoldsKeysNoLonger(Wrong):
    caught_by = "test_hold_outlasts_the_message"

    async def publish_unique(
        self, message: Message, key: str, hold: float = 0, delay: float = 0
    ) -> str:
        return await super().publish_unique(message, key, 0, delay)


@pytest.mark.parametrize("wrong", Wrong.__subclasses__(), ids=lambda wrong: wrong.__name__)
def test_wrong_keys_are_caught(wrong: type[Wrong], assert_caught: Callable[..., None]) -> None:
    """The fact that names the fault fails."""
    assert_caught(UniquePublishConformance, wrong)
