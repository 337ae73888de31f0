"""Limits as values, and how an ability is found."""

from __future__ import annotations

from ltq_core.abilities import ABILITIES, QueueLimits, Rate, SharedLimits, abilities_of
from ltq_memory.broker import MemoryBroker


def test_limits_of_two_middlewares_hold_together():
    rate = QueueLimits(rate=Rate(0.1), rate_keyed=True)
    concurrency = QueueLimits(concurrency=5)

    assert rate | concurrency == QueueLimits(Rate(0.1), 5, rate_keyed=True)
    assert (rate | QueueLimits(rate=Rate(2.0))).rate == Rate(2.0)


def test_broker_with_all_abilities_is_known_by_them():
    assert abilities_of(MemoryBroker) == tuple(ability.__name__ for ability in ABILITIES)


def test_ability_is_found_by_its_methods():
    class Limited:
        async def set_limits(self, queue: str, limits: QueueLimits) -> None: ...

    assert isinstance(Limited(), SharedLimits)
    assert abilities_of(Limited) == ("SharedLimits",)
    assert abilities_of(object) == ()
