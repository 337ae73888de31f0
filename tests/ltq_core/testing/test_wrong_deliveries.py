"""Brokers whose deliveries are wrong, as real ones' were: each fault is caught."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from ltq_core.clock import now
from ltq_core.errors import EncodeError, LeaseLostError
from ltq_core.message import Message
from ltq_core.testing import BrokerConformance
from ltq_memory.broker import MemoryBroker
from ltq_memory.leases import receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Wrong(MemoryBroker):
    """One fault, and the fact that must fail with it."""

    caught_by: ClassVar[str]


class SettlesById(Wrong):
    """Its receipt is the message's id: an old delivery settles the same worker's new one."""

    caught_by = "test_old_delivery_settles_no_later_one"

    async def ack_many(self, messages: Sequence[Message]) -> list[Message]:
        epoch = self._session.epoch
        for held in list(epoch.held if epoch else ()):
            if Message.from_json(held.entry.raw).id in [message.id for message in messages]:
                self.store.ack([held])
        return []


class MovesWhatWaits(Wrong):
    """A late retry is refused, but has changed the message that waits again."""

    caught_by = "test_late_settling_touches_no_returned_message"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        entry = receipt(message).entry
        try:
            await super().nack(message, delay, drop)
        except LeaseLostError:
            if not drop:
                with self.store.lend(message.task_name) as lent:
                    waiting = [one for one in lent.first(1000) if one is not entry]
                    lent._clear()
                    entry.raw = message.to_json()
                    for one in [*waiting, entry]:
                        lent.push(one)
            raise


class SettlesAfterItsClose(Wrong):
    """What it gave back at its end it still settles, in the hands of the next worker."""

    caught_by = "test_closed_worker_settles_nothing"

    async def ack(self, message: Message) -> None:
        entry = receipt(message).entry
        for epoch in list(self.store._epochs):
            self.store.ack([held for held in epoch.held if held.entry is entry])


class RenewsNotAfterReopening(Wrong):
    """The thread that renews is started once for each object."""

    caught_by = "test_lease_of_a_worker_that_closed_once_is_kept"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.closed = False
        keep = self._session.keep
        self._session.keep = lambda: None if self.closed else keep()  # type: ignore[method-assign]

    async def close(self) -> None:
        self.closed = self.closed or self._session.epoch is not None
        await super().close()


class RenewsTenAtMost(Wrong):
    """One call renews ten receipts, and the others are left to end."""

    caught_by = "test_lease_of_a_living_worker_is_kept"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        beat = self._session._beat
        self._session._beat = lambda: [*beat(), *self._lose_the_rest()]  # type: ignore[method-assign]

    def _lose_the_rest(self) -> list[Any]:
        epoch = self._session.epoch
        for held in list(epoch.held)[10:] if epoch else ():
            if now() - held.delivery.claimed_at > epoch.lease:
                self.store._release(held)
                held.delivery.lease_lost = True
                self.store.put(held.queue, [held.entry])
        return []


class ClaimsWhenDue(Wrong):
    """How long a message waited cannot be told, and none is ever too old."""

    caught_by = "test_delivery_tells_how_long_the_message_waited"

    def _decoded(self, leases: Any) -> list[Message]:
        decoded = super()._decoded(leases)
        for message in decoded:
            assert message.delivery is not None
            message.delivery.claimed_at = message.delivery.due_at
        return decoded


class CountsInMilliseconds(Wrong):
    """In 32 bits, which 25 days exceed."""

    caught_by = "test_long_delays_are_kept"

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        await super().publish_many(messages, delay if delay < 2**31 / 1000 else 0)


class EncodesBeforeItDrops(Wrong):
    """A run that left no JSON behind is returned for ever."""

    caught_by = "test_drop_stores_nothing"
    fails_with = EncodeError

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        message.to_json()
        await super().nack(message, delay, drop)


class EncodesBeforeItAcks(Wrong):
    caught_by = "test_ack_stores_nothing"
    fails_with = EncodeError

    async def ack(self, message: Message) -> None:
        message.to_json()
        await super().ack(message)


class LosesABatchWithABadOne(Wrong):
    """What stands behind bad bytes is leased, and handed to nobody."""

    caught_by = "test_bad_bytes_cost_no_other_of_a_batch"

    def _decoded(self, leases: Any) -> list[Message]:
        decoded: list[Message] = []
        for lease in leases:
            one = super()._decoded([lease])
            if not one:
                break
            decoded += one
        return decoded


@pytest.mark.parametrize("wrong", Wrong.__subclasses__(), ids=lambda wrong: wrong.__name__)
def test_wrong_broker_is_caught(wrong: type[Wrong], assert_caught: Callable[..., None]) -> None:
    """The fact that names the fault fails."""
    assert_caught(BrokerConformance, wrong)
