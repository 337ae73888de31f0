"""The Redis broker keeps every promise of the conformance kit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ltq_core.testing import (
    BrokerConformance,
    DeadLettersConformance,
    InspectionConformance,
    LiveWorkersConformance,
    PauseConformance,
    ProcessConformance,
    SharedLimitsConformance,
    TicksConformance,
    UniquePublishConformance,
)
from ltq_redis import RedisBroker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    import redis

    from ltq_core.broker import Broker


class RedisStore:
    """One prefix of a real server, and what the kit's hooks need to see of it."""

    lease = 3.0

    @pytest.fixture
    def make_broker(
        self, redis_store: str, redis_client: redis.Redis, redis_prefix: str
    ) -> Callable[[], Awaitable[Broker]]:
        self.client, self.prefix = redis_client, redis_prefix

        async def make() -> Broker:
            return RedisBroker(redis_store)

        return make

    async def put_raw(self, broker: Broker, queue: str, data: bytes) -> None:
        self.client.zadd(f"{self.prefix}queue:{queue}", {data: 0})

    async def leftovers(self) -> Collection[str]:
        keys = self.client.scan_iter(f"{self.prefix}*")
        return [key.decode() for key in keys if self.client.ttl(key) == -1]


class TestBroker(RedisStore, BrokerConformance):
    """The contract."""


class TestProcesses(RedisStore, ProcessConformance):
    """Several processes."""

    @pytest.fixture
    def broker_url(self, redis_store: str) -> str:
        return redis_store


class TestSharedLimits(RedisStore, SharedLimitsConformance):
    """Limits for all workers together."""


class TestDeadLetters(RedisStore, DeadLettersConformance):
    """What was given up."""


class TestUniquePublish(RedisStore, UniquePublishConformance):
    """Keys that one message holds."""


class TestTicks(RedisStore, TicksConformance):
    """Each tick once."""


class TestInspection(RedisStore, InspectionConformance):
    """Looking without changing."""


class TestLiveWorkers(RedisStore, LiveWorkersConformance):
    """Who works on a queue."""


class TestPause(RedisStore, PauseConformance):
    """Queues that hand out nothing for a while."""
