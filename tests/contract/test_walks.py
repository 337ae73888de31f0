"""Long random walks over everything that a broker can do, against the kit's model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ltq_core.broker import Broker
from ltq_core.testing.suite import Conformance, fact
from ltq_core.testing.walks.decks import KEYS, LETTERS, LOOKS, PAUSES, TICKS
from ltq_core.testing.walks.play import go

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ltq_core.testing.lab import Lab


class AllTogether(Conformance):
    """All abilities at once: what one of them does may break a promise of another."""

    lease = 3.0
    seeds = range(8)

    @fact
    async def test_random_calls_of_all_kinds_agree_with_a_model(self, lab: Lab) -> None:
        """Whatever is called in whatever order, what is seen is what the model says."""
        await go(lab, self.seeds, LETTERS, KEYS, TICKS, LOOKS, PAUSES)


class TestMemory(AllTogether):
    """In memory it costs little to go on for long."""

    seeds = range(24)

    @pytest.fixture
    def make_broker(self) -> Callable[[], Awaitable[Broker]]:
        broker_url = f"memory://{id(self)}?lease=3"

        async def make() -> Broker:
            return Broker.from_url(broker_url)

        return make


class TestRedis(AllTogether):
    """On a real server."""

    @pytest.fixture
    def make_broker(self, redis_store: str) -> Callable[[], Awaitable[Broker]]:
        async def make() -> Broker:
            return Broker.from_url(redis_store)

        return make
