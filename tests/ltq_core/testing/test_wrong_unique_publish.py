"""Brokers that hold unique keys wrongly, as real ones did: each fault is caught."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

import pytest

from ltq_core.clock import now
from ltq_core.message import Message
from ltq_core.testing import UniquePublishConformance
from ltq_memory.broker import MemoryBroker
from ltq_memory.leases import receipt
from ltq_memory.lines import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ltq_core.dead_letter import DeadLetter


class Wrong(MemoryBroker):
    """One fault, and the fact that must fail with it."""

    caught_by: ClassVar[str]


class LooksThenStores(Wrong):
    caught_by = "test_racing_producers_store_one_message"

    async def publish_unique(
        self, message: Message, key: str, hold: float = 0, delay: float = 0
    ) -> str:
        for standing in await self.peek(message.task_name):
            if standing.ctx.get("unique") == key:
                return standing.id
        await asyncio.sleep(0)
        await self.publish(message, delay)
        return message.id


class TakesTheKeyBeforeItStores(Wrong):
    """What happens in between leaves a key that no message holds."""

    caught_by = "test_cancelled_send_holds_its_key_or_not"
    holders: ClassVar[dict[str, str]] = {}

    async def publish_unique(
        self, message: Message, key: str, hold: float = 0, delay: float = 0
    ) -> str:
        holder = self.holders.setdefault(f"{self.url} {key}", message.id)
        await asyncio.sleep(0.01)
        if holder == message.id:
            await self.publish(message, delay)
        return holder


class HoldsKeysOnlyWhileWaiting(Wrong):
    caught_by = "test_key_is_held_while_its_message_runs"

    async def publish_unique(
        self, message: Message, key: str, hold: float = 0, delay: float = 0
    ) -> str:
        for standing in await self.peek(message.task_name):
            if standing.ctx.get("unique") == key:
                return standing.id
        await self.publish(message, delay)
        return message.id


class KeepsKeysOfClearedMessages(Wrong):
    caught_by = "test_clear_releases_the_keys"

    async def clear(self, queue: str) -> None:
        with self.store.lend(queue) as lent:
            for entry in lent.first(1000):
                entry.unique = None
            lent.clear(now())


class FreesKeysOnRetry(Wrong):
    caught_by = "test_key_is_held_through_a_retry"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        await self.ack(message)
        await self.publish(message, delay)


class HoldsKeysNoLonger(Wrong):
    caught_by = "test_hold_outlasts_the_message"

    async def publish_unique(
        self, message: Message, key: str, hold: float = 0, delay: float = 0
    ) -> str:
        return await super().publish_unique(message, key, 0, delay)


class HoldsKeysFromTheAck(Wrong):
    caught_by = "test_hold_counts_from_the_send"
    holds: ClassVar[dict[str, float]] = {}

    async def publish_unique(
        self, message: Message, key: str, hold: float = 0, delay: float = 0
    ) -> str:
        self.holds[message.id] = hold
        return await super().publish_unique(message, key, hold, delay)

    async def ack(self, message: Message) -> None:
        with self.store.lend(message.task_name) as lent:
            for holder in lent.unique._holders.values():
                holder.until = now() + self.holds[message.id]
        await super().ack(message)


class FoldsKeys(Wrong):
    caught_by = "test_similar_keys_are_different"

    async def publish_unique(
        self, message: Message, key: str, hold: float = 0, delay: float = 0
    ) -> str:
        return await super().publish_unique(message, key.lower(), hold, delay)


class CutsKeys(Wrong):
    caught_by = "test_similar_keys_are_different"

    async def publish_unique(
        self, message: Message, key: str, hold: float = 0, delay: float = 0
    ) -> str:
        return await super().publish_unique(message, key[:64], hold, delay)


class JoinsNamesAndKeys(Wrong):
    caught_by = "test_key_is_no_part_of_a_name"
    holders: ClassVar[dict[str, str]] = {}

    async def publish_unique(
        self, message: Message, key: str, hold: float = 0, delay: float = 0
    ) -> str:
        standing = self.holders.setdefault(f"{message.task_name}-{key}", message.id)
        if standing == message.id:
            await super().publish_unique(message, key, hold, delay)
        return standing


class FreesKeysOfWhatReturns(Wrong):
    caught_by = "test_key_is_held_when_its_message_is_returned"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        await super().nack(message, delay, drop)
        free(self, message)


class FreesKeysAtClose(Wrong):
    caught_by = "test_key_is_held_when_its_worker_leaves"
    handed_out: Message | None = None

    async def consume(self, queue: str) -> Message:
        self.handed_out = await super().consume(queue)
        return self.handed_out

    async def close(self) -> None:
        await super().close()
        if self.handed_out is not None:
            free(self, self.handed_out)


class LetsKeysGoWithALease(Wrong):
    """They expire with the lease that their message had at first."""

    caught_by = "test_key_is_held_when_its_worker_dies"
    taken: ClassVar[dict[str, float]] = {}

    async def publish_unique(
        self, message: Message, key: str, hold: float = 0, delay: float = 0
    ) -> str:
        taken = self.taken.setdefault(self.url, now())
        if now() - taken > self.lease:
            free(self, message)
        return await super().publish_unique(message, key, hold, delay)


class FreesAKeyBeforeItAcks(Wrong):
    caught_by = "test_late_settling_frees_no_key"

    async def ack(self, message: Message) -> None:
        free(self, message)
        await super().ack(message)


class FreesAKeyBeforeItDrops(Wrong):
    caught_by = "test_late_settling_frees_no_key"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        if drop:
            free(self, message)
        await super().nack(message, delay, drop)


class AsksNoHolder(Wrong):
    """Whoever names a key frees it."""

    caught_by = "test_only_the_holder_frees_its_key"

    async def ack(self, message: Message) -> None:
        await super().ack(message)
        free(self, message)


class FreesKeysOfLostAcks(Wrong):
    caught_by = "test_second_ack_frees_no_other_holder"

    async def ack_many(self, messages: Sequence[Message]) -> list[Message]:
        lost = await super().ack_many(messages)
        for message in messages:
            free(self, message)
        return lost


class KeepsKeysOfTheDead(Wrong):
    caught_by = "test_burial_releases_the_key"

    async def bury(self, message: Message, letter: DeadLetter) -> None:
        receipt(message).entry.unique = None
        await super().bury(message, letter)


class EndsTheHoldWithADrop(Wrong):
    caught_by = "test_hold_outlasts_drop_and_clear"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        await super().nack(message, delay, drop)
        if drop:
            free(self, message)


class EndsTheHoldWithAClear(Wrong):
    caught_by = "test_hold_outlasts_drop_and_clear"

    async def clear(self, queue: str) -> None:
        cleared = await self.peek(queue, 1000)
        await super().clear(queue)
        for message in cleared:
            free(self, message)


class StoresOnlyPositionsAndTheKey(Wrong):
    caught_by = "test_unique_message_arrives_as_it_was_sent"

    async def publish_unique(
        self, message: Message, key: str, hold: float = 0, delay: float = 0
    ) -> str:
        bare = Message(message.args, {}, message.task_name, {"unique": key}, message.id)
        return await super().publish_unique(bare, key, hold, delay)


class ServesKeysFirst(Wrong):
    caught_by = "test_unique_messages_keep_the_order"

    async def publish_unique(
        self, message: Message, key: str, hold: float = 0, delay: float = 0
    ) -> str:
        with self.store.lend(message.task_name) as lent:
            self.store.put(lent, [Entry.of(message, now() + delay - 100)])
        return message.id


def free(broker: MemoryBroker, message: Message) -> None:
    """Let nobody hold the key that *message* names."""
    with broker.store.lend(message.task_name) as lent:
        lent.unique._holders.pop(message.ctx.get("unique", ""), None)


class WakesNobody(Wrong):
    """It stores the message on a path of its own, which notifies nobody."""

    caught_by = "test_unique_publish_wakes_who_waits"

    async def publish_unique(
        self, message: Message, key: str, hold: float = 0, delay: float = 0
    ) -> str:
        sleeping, self.store._waiters = self.store._waiters, {}
        try:
            return await super().publish_unique(message, key, hold, delay)
        finally:
            self.store._waiters = sleeping


class NotesAKeyAndThenEncodes(Wrong):
    caught_by = "test_message_that_cannot_be_stored_takes_no_key"

    async def publish_unique(
        self, message: Message, key: str, hold: float = 0, delay: float = 0
    ) -> str:
        with self.store.lend(message.task_name) as queue:
            standing = queue.unique.hold(key, message.id, now() + hold, now())
        if standing is None:
            await self.publish(message, delay)
        return standing or message.id


class TakesAnEmptyKeyForNone(Wrong):
    caught_by = "test_empty_key_is_a_key"

    async def publish_unique(
        self, message: Message, key: str, hold: float = 0, delay: float = 0
    ) -> str:
        if key:
            return await super().publish_unique(message, key, hold, delay)
        await self.publish(message, delay)
        return message.id


class ExpiresKeysBeforeTheirTime(Wrong):
    """A hold that is over when it begins lets the key go at once."""

    caught_by = "test_negative_hold_is_none"

    async def publish_unique(
        self, message: Message, key: str, hold: float = 0, delay: float = 0
    ) -> str:
        if hold >= 0:
            return await super().publish_unique(message, key, hold, delay)
        await self.publish(message, delay)
        return message.id


class AddsAnyDelay(Wrong):
    caught_by = "test_negative_delay_of_a_unique_message_is_none"

    async def publish_unique(
        self, message: Message, key: str, hold: float = 0, delay: float = 0
    ) -> str:
        with self.store.lend(message.task_name) as queue:
            self.store.put(queue, [Entry.of(message, now() + delay)])
        return message.id


@pytest.mark.parametrize("wrong", Wrong.__subclasses__(), ids=lambda wrong: wrong.__name__)
def test_wrong_keys_are_caught(wrong: type[Wrong], assert_caught: Callable[..., None]) -> None:
    """The fact that names the fault fails."""
    assert_caught(UniquePublishConformance, wrong)
