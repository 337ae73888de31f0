"""The memory broker keeps every promise of the conformance kit."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from ltq_core.testing import (
    BrokerConformance,
    DeadLettersConformance,
    InspectionConformance,
    LiveWorkersConformance,
    PauseConformance,
    SharedLimitsConformance,
    TicksConformance,
    UniquePublishConformance,
)
from ltq_memory.broker import MemoryBroker
from ltq_memory.lines import Entry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from ltq_core.broker import Broker

LEASE = 0.6


class MemoryStore:
    """One store, and what the kit's hooks need to see of it."""

    lease = LEASE

    @pytest.fixture
    def make_broker(self) -> Callable[[], Awaitable[Broker]]:
        self.url = f"memory://{uuid.uuid4().hex}?lease={LEASE}&dead_letters=200"

        async def make() -> Broker:
            return MemoryBroker(self.url)

        return make

    async def put_raw(self, broker: Broker, queue: str, data: bytes) -> None:
        assert isinstance(broker, MemoryBroker)
        with broker.store.lend(queue) as lent:
            broker.store.put(lent, [Entry(data, due=0)])

    async def leftovers(self) -> Collection[str]:
        return list(MemoryBroker(self.url).store._queues)


class TestBroker(MemoryStore, BrokerConformance):
    """The contract."""


class TestSharedLimits(MemoryStore, SharedLimitsConformance):
    """Limits for all workers together."""


class TestDeadLetters(MemoryStore, DeadLettersConformance):
    """What was given up."""

    most = 200


class TestUniquePublish(MemoryStore, UniquePublishConformance):
    """Keys that one message holds."""


class TestTicks(MemoryStore, TicksConformance):
    """Each tick once."""


class TestInspection(MemoryStore, InspectionConformance):
    """Looking without changing."""


class TestLiveWorkers(MemoryStore, LiveWorkersConformance):
    """Who works on a queue."""


class TestPause(MemoryStore, PauseConformance):
    """Queues that hand out nothing for a while."""
