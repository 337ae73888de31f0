"""The Redis broker keeps every promise of the conformance kit."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from ltq_core.testing import (
    BrokerConformance,
    DeadLettersConformance,
    InspectionConformance,
    LiveWorkersConformance,
    OutageConformance,
    PauseConformance,
    ProcessConformance,
    SharedLimitsConformance,
    TicksConformance,
    UniquePublishConformance,
)
from ltq_redis import RedisBroker
from redis_store import RedisStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection

    import redis

    from fault_proxy import FaultProxy
    from ltq_core.broker import Broker


class OnRedis:
    """One prefix of a real server, and what the kit's hooks need to see of it."""

    lease = 3.0

    @pytest.fixture
    def make_broker(
        self, redis_store: str, redis_client: redis.Redis, redis_prefix: str
    ) -> Callable[[], Awaitable[Broker]]:
        self.store = RedisStore(redis_client, redis_prefix)

        async def make() -> Broker:
            return RedisBroker(f"{redis_store}&dead_letters=200")

        return make

    async def put_raw(self, broker: Broker, queue: str, data: bytes) -> None:
        self.store.put_raw(data, queue)

    async def leftovers(self) -> Collection[str]:
        return self.store.left_behind()


class TestBroker(OnRedis, BrokerConformance):
    """The contract."""


class TestProcesses(OnRedis, ProcessConformance):
    """Several processes."""

    @pytest.fixture
    def broker_url(self, redis_store: str) -> str:
        return redis_store


class TestOutages(OnRedis, OutageConformance):
    """A server behind a proxy that cuts and refuses connections."""

    @pytest.fixture
    def make_broker(
        self, proxied_store: str, proxy: FaultProxy
    ) -> Callable[[], Awaitable[Broker]]:
        self.proxy = proxy

        async def make() -> Broker:
            return RedisBroker(proxied_store)

        return make

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        with self.proxy.away():
            yield


class TestSharedLimits(OnRedis, SharedLimitsConformance):
    """Limits for all workers together."""


class TestDeadLetters(OnRedis, DeadLettersConformance):
    """What was given up."""

    most = 200


class TestUniquePublish(OnRedis, UniquePublishConformance):
    """Keys that one message holds."""


class TestTicks(OnRedis, TicksConformance):
    """Each tick once."""


class TestInspection(OnRedis, InspectionConformance):
    """Looking without changing."""


class TestLiveWorkers(OnRedis, LiveWorkersConformance):
    """Who works on a queue."""


class TestPause(OnRedis, PauseConformance):
    """Queues that hand out nothing for a while."""
