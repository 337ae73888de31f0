"""Brokers that let a consumer sleep, as real ones did: each fault is caught."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

import pytest

from ltq_core.testing import BrokerConformance
from ltq_memory.broker import MemoryBroker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ltq_core.message import Message


class Wrong(MemoryBroker):
    """One fault, and the fact that must fail with it."""

    caught_by: ClassVar[str]

    @contextmanager
    def _unheard(self) -> Iterator[None]:
        """What is done within wakes nobody."""
        sleeping, self.store._waiters = self.store._waiters, {}
        try:
            yield
        finally:
            self.store._waiters = sleeping


class DelayedPublishWakesNobody(Wrong):
    """The time of the first message is looked up when a consumer begins to wait."""

    caught_by = "test_delayed_publish_wakes_who_waits"

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        if delay <= 0:
            await super().publish_many(messages, delay)
            return
        with self._unheard():
            await super().publish_many(messages, delay)


class BulkWakesNobody(Wrong):
    """Only the single publish notifies."""

    caught_by = "test_bulk_wakes_as_many_as_it_needs"

    async def publish(self, message: Message, delay: float = 0) -> None:
        await super().publish_many([message], delay)

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        with self._unheard():
            await super().publish_many(messages, delay)


class ClearForgetsWhoWaits(Wrong):
    """With the queue it deletes the list of those who listen to it."""

    caught_by = "test_consumer_still_hears_after_a_clear"

    async def clear(self, queue: str) -> None:
        await super().clear(queue)
        for waiter in [one for one in self.store._waiters if queue in one.queues]:
            del self.store._waiters[waiter]


class HearsEightQueues(Wrong):
    """A blocking call takes so many keys, and the rest is cut."""

    caught_by = "test_many_queues_are_waited_for"

    async def consume_many(
        self, queues: Sequence[str], limit: int, acks: Sequence[Message] = ()
    ) -> list[Message]:
        return await super().consume_many(queues[:8], limit, acks)


class NackWakesNobody(Wrong):
    """Who waits looks again when some lease is over."""

    caught_by = "test_nack_wakes_who_waits"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        with self._unheard():
            await super().nack(message, delay, drop)


class CloseWakesNobody(Wrong):
    caught_by = "test_close_wakes_who_waits"

    async def close(self) -> None:
        with self._unheard():
            await super().close()


@pytest.mark.parametrize("wrong", Wrong.__subclasses__(), ids=lambda wrong: wrong.__name__)
def test_wrong_broker_is_caught(wrong: type[Wrong], assert_caught: Callable[..., None]) -> None:
    """The fact that names the fault fails."""
    assert_caught(BrokerConformance, wrong)
