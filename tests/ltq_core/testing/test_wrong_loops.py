"""Brokers that hold up event loops, or leave things behind: each fault is caught."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, ClassVar

import pytest

from ltq_core.broker import Broker
from ltq_core.testing import BrokerConformance, watching
from ltq_memory.broker import MemoryBroker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ltq_core.message import Message


class Wrong(MemoryBroker):
    """One fault, and the fact that must fail with it."""

    caught_by: ClassVar[str]


class Spins(Wrong):
    """It looks again in each turn of the event loop."""

    caught_by = "test_waiting_consume_lets_the_loop_rest"

    async def consume(self, queue: str) -> Message:
        while not await self.size(queue):  # noqa: ASYNC110 (the fault)
            await asyncio.sleep(0)
        return await super().consume(queue)


class BlocksNowAndThen(Wrong):
    """It asks its store for a tenth of a second, with a client that is not asynchronous."""

    caught_by = "test_waiting_consume_leaves_the_loop_to_others"

    async def consume(self, queue: str) -> Message:
        while not await self.size(queue):
            time.sleep(0.1)  # noqa: ASYNC251 (the fault)
            await asyncio.sleep(0)
        return await super().consume(queue)


class BlocksForGood(Wrong):
    """It waits for its store with a client that is not asynchronous."""

    caught_by = "test_waiting_consume_leaves_the_loop_to_others"
    over: ClassVar[threading.Event] = threading.Event()

    async def consume(self, queue: str) -> Message:
        while not await self.size(queue) and not self.over.wait(0.05):
            pass
        return await super().consume(queue)


class LeavesAThreadBehind(Wrong):
    caught_by = "test_closing_ends_all_threads"

    async def consume(self, queue: str) -> Message:
        threading.Thread(target=time.sleep, args=(2,), daemon=True).start()
        return await super().consume(queue)


class GivesBackWhatARunChanged(Wrong):
    """It nacks what it holds when it closes."""

    caught_by = "test_closing_gives_back_untouched"

    async def consume(self, queue: str) -> Message:
        self.last = await super().consume(queue)
        return self.last

    async def close(self) -> None:
        if hasattr(self, "last"):
            await self.nack(self.last)
        await super().close()


class ReleasesNothing(Wrong):
    """What it leased ahead stands idle until it closes."""

    caught_by = "test_release_gives_back_what_nobody_was_given"
    consume_many = Broker.consume_many

    async def consume(self, queue: str) -> Message:
        return (await MemoryBroker.consume_many(self, [queue], 1))[0]

    async def release(self) -> None: ...


class ReleasesAll(Wrong):
    """It gives back what runs, too."""

    caught_by = "test_release_keeps_what_was_given"

    async def release(self) -> None:
        self.store.leave(self._session)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(watching, "BLOCKED", 1.0)
    BlocksForGood.over.clear()
    yield
    BlocksForGood.over.set()


@pytest.mark.parametrize("wrong", Wrong.__subclasses__(), ids=lambda wrong: wrong.__name__)
def test_wrong_broker_is_caught(wrong: type[Wrong], assert_caught: Callable[..., None]) -> None:
    """The fact that names the fault fails."""
    assert_caught(BrokerConformance, wrong)
