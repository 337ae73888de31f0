"""Brokers that store and hand out wrongly, as real ones did: each fault is caught."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, ClassVar

import pytest

from ltq_core.abilities import QueueLimits
from ltq_core.clock import now
from ltq_core.errors import BrokerUnavailableError
from ltq_core.testing import BrokerConformance
from ltq_memory.broker import MemoryBroker
from ltq_memory.lines import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ltq_core.message import Message


class Wrong(MemoryBroker):
    """One fault, and the fact that must fail with it."""

    caught_by: ClassVar[str]


class IgnoresDelay(Wrong):
    caught_by = "test_delay_is_kept"

    async def publish(self, message: Message, delay: float = 0) -> None:
        await super().publish(message)


class IgnoresDelayOfBulk(Wrong):
    caught_by = "test_delay_of_bulk_is_kept"

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        await super().publish_many(messages)


class LosesOrder(Wrong):
    caught_by = "test_messages_due_at_once_keep_their_order"
    published = 0

    async def publish(self, message: Message, delay: float = 0) -> None:
        self.published += 1
        await super().publish(message, delay + 0.1 / self.published)


class SleepsThroughEarlierMessages(Wrong):
    """Its consumer sleeps until what was first when it looked is due."""

    caught_by = "test_waiting_consumer_gets_an_earlier_message_first"

    async def consume(self, queue: str) -> Message:
        with self.store.lend(queue) as lent:
            due = min(lent.due_times(), default=0)
        await asyncio.sleep(max(0, due - now()))
        return await super().consume(queue)


class SharesItsObjects(Wrong):
    caught_by = "test_later_changes_of_a_sent_message_are_not_seen"
    sent: ClassVar[dict[str, Message]] = {}

    async def publish(self, message: Message, delay: float = 0) -> None:
        self.sent[message.id] = message
        await super().publish(message, delay)

    async def consume(self, queue: str) -> Message:
        received = await super().consume(queue)
        received.args = self.sent[received.id].args
        return received


class DoublesWhatIsPublishedAgain(Wrong):
    caught_by = "test_waiting_message_published_again_stays_one"
    published = 0

    async def publish(self, message: Message, delay: float = 0) -> None:
        self.published += 1
        raw = message.to_json() + b" " * self.published
        with self.store.lend(message.task_name) as lent:
            self.store.put(lent, [Entry(raw, now() + delay)])


class RefusesBursts(Wrong):
    caught_by = "test_burst_arrives_whole"
    fails_with = BrokerUnavailableError
    busy = 0

    async def publish(self, message: Message, delay: float = 0) -> None:
        if self.busy >= 100:
            raise BrokerUnavailableError("Too many connections.")
        self.busy += 1
        await asyncio.sleep(0)
        await super().publish(message, delay)
        self.busy -= 1


class StopsAtBadBytes(Wrong):
    caught_by = "test_bad_bytes_stop_no_consumer"
    fails_with = ValueError

    def _give_up(self, lease: object, error: Exception) -> None:
        raise error


class CountsWhatRuns(Wrong):
    caught_by = "test_size_counts_what_waits"

    async def size(self, queue: str) -> int:
        with self.store.lend(queue) as lent:
            return len(lent) + lent.limiter.running


class ClearsOnlyWhatIsDue(Wrong):
    caught_by = "test_clear_removes_all_that_waits"

    async def clear(self, queue: str) -> None:
        with self.store.lend(queue) as lent:
            while lent.take(now(), QueueLimits()) is not None:
                pass


class ClearsWhatRuns(Wrong):
    """It forgets what is in flight: the nack of a run that goes on finds nothing."""

    caught_by = "test_clear_forgets_nothing_in_flight"
    fails_with = Exception

    async def clear(self, queue: str) -> None:
        await super().clear(queue)
        for epoch in self.store.epochs(queue):
            self.store.ack(list(epoch.held))


class ClosesForEverybody(Wrong):
    caught_by = "test_closing_leaves_other_connections_alone"
    fails_with = Exception

    async def close(self) -> None:
        await super().close()
        for epoch in self.store.epochs("conformance:task"):
            self.store.ack(list(epoch.held))


class ClosesOnce(Wrong):
    caught_by = "test_closing_twice_is_harmless"
    fails_with = RuntimeError
    closed = False

    async def close(self) -> None:
        if self.closed:
            raise RuntimeError("The broker is closed.")
        self.closed = True
        await super().close()


class LeavesThingsBehind(Wrong):
    caught_by = "test_finished_queue_leaves_nothing_behind"

    async def publish(self, message: Message, delay: float = 0) -> None:
        await super().publish(message, delay)
        with self.store.lend(f"{message.task_name}:seen") as lent:
            lent.ticks["forgotten"] = 1.0


class BelongsToOneLoop(Wrong):
    caught_by = "test_connection_outlives_an_event_loop"
    fails_with = RuntimeError
    loop: asyncio.AbstractEventLoop | None = None

    async def publish(self, message: Message, delay: float = 0) -> None:
        self.loop = self.loop or asyncio.get_running_loop()
        if self.loop is not asyncio.get_running_loop():
            raise RuntimeError("This client is bound to a different event loop.")
        await super().publish(message, delay)


class WakesOnlyItsOwnLoop(Wrong):
    caught_by = "test_publishing_thread_wakes_a_consumer"

    async def publish(self, message: Message, delay: float = 0) -> None:
        with self.store.lend(message.task_name) as lent:
            lent.push(Entry.of(message, now() + delay))
            loop = asyncio.get_running_loop()
            for waiter in [each for each in self.store._waiters if each._loop is loop]:
                self.store._wake(waiter)


class RoundsDelaysUp(Wrong):
    caught_by = "test_delays_are_exact"

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        await super().publish_many(messages, math.ceil(delay))


class RoundsDelaysOfNacksUp(Wrong):
    caught_by = "test_delays_are_exact"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        await super().nack(message, math.ceil(delay), drop)


class DelaysTheFirstOfABulk(Wrong):
    caught_by = "test_delay_of_bulk_is_kept"

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        await super().publish_many(messages[:1], delay)
        await super().publish_many(messages[1:])


class IsDueWhenItWasPublished(Wrong):
    """A delayed message looks as if it had waited for its delay, and is soon too old."""

    caught_by = "test_delivery_tells_how_long_the_message_waited"
    delays: ClassVar[dict[str, float]] = {}

    async def publish(self, message: Message, delay: float = 0) -> None:
        self.delays[message.id] = delay
        await super().publish(message, delay)

    async def consume(self, queue: str) -> Message:
        received = await super().consume(queue)
        received.delivery.due_at -= self.delays[received.id]
        return received


class ServesWhatIsDueAsItCame(Wrong):
    """What became due stands in one list with the rest, by the time of its publish."""

    caught_by = "test_what_became_due_keeps_its_turn"

    async def consume(self, queue: str) -> Message:
        with self.store.lend(queue) as lent:
            waiting = lent.first(100)
            lent._clear()
            for entry in waiting:
                entry.due = entry.due if entry.due > now() else 0
                lent.push(entry)
        return await super().consume(queue)


class PromotesToTheEnd(Wrong):
    """What became due is moved behind what is there, when somebody looks."""

    caught_by = "test_what_became_due_keeps_its_turn"

    async def publish(self, message: Message, delay: float = 0) -> None:
        await super().publish(message, delay)
        with self.store.lend(message.task_name) as lent:
            waiting = lent.first(100)
            lent._clear()
            for entry in waiting:
                if entry.raw != message.to_json() and entry.due <= now():
                    entry.delay(now())
                lent.push(entry)


class PublishesAnewWhatWaits(Wrong):
    caught_by = "test_waiting_message_published_again_keeps_its_place"

    async def publish(self, message: Message, delay: float = 0) -> None:
        with self.store.lend(message.task_name) as lent:
            waiting = lent.first(100)
            lent._clear()
            for entry in waiting:
                if entry.raw != message.to_json():
                    lent.push(entry)
        await super().publish(message, delay)


@pytest.mark.parametrize("wrong", Wrong.__subclasses__(), ids=lambda wrong: wrong.__name__)
def test_wrong_broker_is_caught(wrong: type[Wrong], assert_caught: Callable[..., None]) -> None:
    """The fact that names the fault fails."""
    assert_caught(BrokerConformance, wrong)
