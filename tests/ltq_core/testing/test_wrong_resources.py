"""Brokers that leave something behind, or were given to the kit wrongly: each is told."""

from __future__ import annotations

import asyncio
import itertools
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar

import pytest

from ltq_core.testing import BrokerConformance
from ltq_memory.broker import MemoryBroker

if TYPE_CHECKING:
    from collections.abc import Callable

    from ltq_core.message import Message


class Wrong(MemoryBroker):
    """One fault, and the fact that must fail with it."""

    caught_by: ClassVar[str]


class LeavesATask(Wrong):
    """It starts one that nobody ends."""

    caught_by = "test_closing_ends_all_tasks"

    async def consume(self, queue: str) -> Message:
        self.task = asyncio.ensure_future(asyncio.Event().wait())
        return await super().consume(queue)


class LeavesADescriptor(Wrong):
    caught_by = "test_closing_releases_descriptors"
    opened: ClassVar[list[IO[bytes]]] = []

    async def consume(self, queue: str) -> Message:
        self.opened.append(Path(os.devnull).open("rb"))  # noqa: ASYNC230, SIM115 (the fault)
        return await super().consume(queue)


class KeepsWhatItHandedOut(Wrong):
    caught_by = "test_ended_messages_are_forgotten"

    async def consume(self, queue: str) -> Message:
        received = await super().consume(queue)
        self.__dict__.setdefault("handed_out", []).append(received)
        return received


class KeepsWhatWasPublished(Wrong):
    caught_by = "test_ended_messages_are_forgotten"

    async def publish(self, message: Message, delay: float = 0) -> None:
        self.__dict__.setdefault("published", []).append(message)
        await super().publish(message, delay)


class SizeWaitsForAConsume(Wrong):
    """One connection, and one call on it at a time."""

    caught_by = "test_waiting_consume_holds_up_no_other_call"
    free: asyncio.Lock

    async def consume(self, queue: str) -> Message:
        async with self.__dict__.setdefault("free", asyncio.Lock()):
            return await super().consume(queue)

    async def size(self, queue: str) -> int:
        async with self.__dict__.setdefault("free", asyncio.Lock()):
            return await super().size(queue)


class HasAStoreForEachConnection(Wrong):
    """The fixture makes another store at each call."""

    caught_by = "test_connections_meet_at_one_store"
    number = itertools.count()

    def __init__(self, url: str) -> None:
        super().__init__(url.replace("?", f"-{next(self.number)}?"))


class HasAFilledStore(Wrong):
    """The fixture goes on with the store of the test before."""

    caught_by = "test_store_is_empty_at_first"

    async def size(self, queue: str) -> int:
        return 1 + await super().size(queue)


class HasAnotherLease(Wrong):
    """The class says one, the URL of its fixture another."""

    caught_by = "test_lease_is_what_the_class_says"

    def __init__(self, url: str) -> None:
        super().__init__(url.replace("lease=0.3", "lease=30"))


@pytest.mark.parametrize("wrong", Wrong.__subclasses__(), ids=lambda wrong: wrong.__name__)
def test_wrong_broker_is_caught(wrong: type[Wrong], assert_caught: Callable[..., None]) -> None:
    """The fact that names the fault fails."""
    assert_caught(BrokerConformance, wrong)


def test_connection_that_is_returned_twice_is_told() -> None:
    """A fixture that returns one object each time is named as what is wrong."""
    broker = MemoryBroker()

    async def make() -> MemoryBroker:
        return broker

    suite: Any = BrokerConformance()
    with pytest.raises(AssertionError, match="a new connection each time"):
        suite.test_connections_meet_at_one_store(make)


def test_fixture_that_is_not_async_is_told() -> None:
    """A fixture that returns a plain function is named as what is wrong."""
    suite: Any = BrokerConformance()
    with pytest.raises(AssertionError, match="make_broker must be an async callable"):
        suite.test_store_is_empty_at_first(MemoryBroker)
