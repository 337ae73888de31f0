"""Brokers that fail at the edges of counts, delays and lengths: each fault is caught."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from ltq_core.errors import EncodeError, OptionValueError
from ltq_core.testing import BrokerConformance
from ltq_memory.broker import MemoryBroker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ltq_core.message import Message


class Wrong(MemoryBroker):
    """One fault, and the fact that must fail with it."""

    caught_by: ClassVar[str]


class LosesTheLastOfAFullPage(Wrong):
    caught_by = "test_bulk_that_fills_its_pages_arrives_whole"

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        full = len(messages) > 1 and len(messages) % 500 == 0
        await super().publish_many(messages[:-1] if full else messages, delay)


class CountsSecondsIn31Bits(Wrong):
    """What is due after 2038 is due at once."""

    caught_by = "test_long_delays_are_kept"

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        await super().publish_many(messages, 0 if delay > 2**31 / 5 else delay)


class RefusesDelaysOfYears(Wrong):
    caught_by = "test_long_delays_are_kept"
    fails_with = OptionValueError

    async def publish(self, message: Message, delay: float = 0) -> None:
        if delay > 366 * 86_400:
            raise OptionValueError("A delay is at most a year.")
        await super().publish(message, delay)


class WaitsASecondAtLeast(Wrong):
    """A delay that is no whole millisecond is taken for one of another unit."""

    caught_by = "test_delays_are_exact"

    async def publish(self, message: Message, delay: float = 0) -> None:
        await super().publish(message, 0.9 if 0 < delay < 0.001 else delay)


class DelaysNoBulkOfOne(Wrong):
    caught_by = "test_delays_are_exact"

    async def publish(self, message: Message, delay: float = 0) -> None:
        await super().publish_many([message, message], delay)

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        await super().publish_many(messages, delay if len(messages) > 1 else 0)


class RaisesItsPipelinesError(Wrong):
    """A bulk tells of a message that is no JSON in words of its own."""

    caught_by = "test_what_is_no_json_is_refused"
    fails_with = RuntimeError

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        try:
            await super().publish_many(messages, delay)
        except EncodeError as error:
            if len(messages) == 1:
                raise
            raise RuntimeError("The pipeline failed.") from error


@pytest.mark.parametrize("wrong", Wrong.__subclasses__(), ids=lambda wrong: wrong.__name__)
def test_wrong_broker_is_caught(wrong: type[Wrong], assert_caught: Callable[..., None]) -> None:
    """The fact that names the fault fails."""
    assert_caught(BrokerConformance, wrong)
