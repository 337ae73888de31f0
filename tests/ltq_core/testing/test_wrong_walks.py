"""Brokers with faults that no single fact has in mind: random walks come across them."""

from __future__ import annotations

import copy
import math
import re
import unicodedata
import uuid
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from ltq_core.abilities import QueueStats
from ltq_core.clock import now
from ltq_core.message import Message
from ltq_core.testing import (
    BrokerConformance,
    DeadLettersConformance,
    InspectionConformance,
    PauseConformance,
    TicksConformance,
    UniquePublishConformance,
)
from ltq_core.testing.walks import play
from ltq_memory.broker import MemoryBroker
from ltq_memory.leases import receipt

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ltq_core.dead_letter import DeadLetter
    from ltq_core.testing.suite import Conformance

CALLS = (BrokerConformance, "test_random_calls_agree_with_a_model")
LETTERS = (DeadLettersConformance, "test_random_burials_agree_with_a_model")
KEYS = (UniquePublishConformance, "test_random_unique_sends_agree_with_a_model")
TICKS = (TicksConformance, "test_random_ticks_agree_with_a_model")
LOOKS = (InspectionConformance, "test_random_looks_agree_with_a_model")
PAUSES = (PauseConformance, "test_random_pauses_agree_with_a_model")


class Wrong(MemoryBroker):
    """One fault, the walk that comes across it, and the promise that it breaks there."""

    walk: ClassVar[tuple[type[Conformance], str]] = CALLS
    breaks: ClassVar[str]

    def of_the_store(self) -> dict[Any, Any]:
        """What all connections to one store share."""
        return self.store.__dict__.setdefault("planted", {})  # type: ignore[no-any-return]


class TakesIdsWithoutCase(Wrong):
    """Its table has a collation that folds the ids."""

    breaks = r"size after a publish(_many)?:"

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        for message in messages:
            message.to_json()
            ids = {other.id.lower() for other in await self.peek(message.task_name, 1000)}
            if message.id.lower() not in ids:
                await super().publish_many([message], delay)


class ComposesText(Wrong):
    """It stores text in Unicode's normal form."""

    breaks = r"(args|kwargs|ctx|what is handed out)"

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        texts = [unicodedata.normalize("NFC", each.to_json().decode()) for each in messages]
        await super().publish_many([Message.from_json(text) for text in texts], delay)


class NacksTheContextAlone(Wrong):
    """Its nack updates the column of ``ctx``."""

    breaks = r"(args|kwargs) after a nack:"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        if not drop:
            message.to_json()
            stored = Message.from_json(receipt(message).entry.raw)
            stored.ctx, stored.delivery = message.ctx, message.delivery
            message = stored
        await super().nack(message, delay, drop)


class RoundsWhatItNacks(Wrong):
    """Its script decodes and encodes: a number without a fraction comes back as an int."""

    breaks = r"ctx after a nack:"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        if not drop:
            message.to_json()
            message.ctx.update(
                (name, int(value))
                for name, value in message.ctx.items()
                if isinstance(value, float) and value.is_integer()
            )
        await super().nack(message, delay, drop)


class WaitsForWholeSeconds(Wrong):
    breaks = r"delivery.due_at after a (publish|publish_many):"

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        await super().publish_many(messages, math.ceil(delay))


class NacksIntoThePast(Wrong):
    breaks = r"(delivery.due_at|order) after a nack:"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        if delay < 0 and not drop:
            assert self.store.put_back(receipt(message), message.to_json(), now() + delay)
        else:
            await super().nack(message, delay, drop)


class PutsWhatBecameDueBehind(Wrong):
    """A mover brings what became due to the end of a list, as if it were due only now."""

    breaks = r"(order|delivery.due_at) after a (publish|publish_many|nack):"

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        delayed = self.of_the_store().setdefault("delayed", [])
        for name in {message.task_name for message in messages if delay <= 0}:
            with self.store.lend(name) as queue:
                entries = list(queue._waiting.values())
                for entry in entries:
                    if entry in delayed and entry.due <= now():
                        entry.due = now()
                queue._clear()
                self.store.put(queue, entries)
        await super().publish_many(messages, delay)
        if delay > 0:
            for message in messages:
                with self.store.lend(message.task_name) as queue:
                    delayed.append(queue._waiting[message.to_json()])


class DropsTheTwinToo(Wrong):
    """It drops by id: what was published again meanwhile goes as well."""

    breaks = r"size after a nack:"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        await super().nack(message, delay, drop)
        if drop:
            with self.store.lend(message.task_name) as queue:
                entries = list(queue._waiting.values())
                queue._clear()
                keep = [e for e in entries if Message.from_json(e.raw).id != message.id]
                self.store.put(queue, keep)


class CannotNackBesideATwin(Wrong):
    """Ids are unique in its table of what waits."""

    breaks = r"nack\(\): it raised RuntimeError"

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        ids = {other.id for other in await self.peek(message.task_name, 1000)}
        if message.id in ids and not drop:
            raise RuntimeError("UNIQUE constraint failed")
        await super().nack(message, delay, drop)


class AcksTwentyAtMost(Wrong):
    """More acks than fit into one request are left to the lease."""

    breaks = r"(size|order|stats|what is handed out)"

    async def consume_many(
        self, queues: Sequence[str], limit: int, acks: Sequence[Message] = ()
    ) -> list[Message]:
        return await super().consume_many(queues, limit, acks[:20])


class HearsEightQueues(Wrong):
    breaks = r"consume_many\(\) in time:"

    async def consume_many(
        self, queues: Sequence[str], limit: int, acks: Sequence[Message] = ()
    ) -> list[Message]:
        return await super().consume_many(queues[:8], limit, acks)


class RequeuesAtItsOldTime(Wrong):
    walk = LETTERS
    breaks = r"(delivery.due_at|order) after a requeue_dead:"

    async def requeue_dead(self, queue: str, ids: Collection[str]) -> int:
        count = await super().requeue_dead(queue, ids)
        with self.store.lend(queue) as lent:
            entries = list(lent._waiting.values())
            for entry in entries:
                back = Message.from_json(entry.raw)
                if back.id in ids and "history" in back.ctx:
                    entry.due = back.ctx["created_at"]
            lent._clear()
            self.store.put(lent, entries)
        return count


class CutsLetters(Wrong):
    walk = LETTERS
    breaks = r"letters after a \w+: that of"

    async def bury(self, message: Message, letter: DeadLetter) -> None:
        letter = copy.copy(letter)
        letter.error, letter.traceback = letter.error[:200], letter.traceback[:200]
        await super().bury(message, letter)


class ListsFiveLetters(Wrong):
    walk = LETTERS
    breaks = r"letters after a \w+: it is"

    async def dead_letters(
        self, queue: str, ids: Collection[str] | None = None, limit: int = 1000
    ) -> list[DeadLetter]:
        return await super().dead_letters(queue, ids, min(limit, 5))


class KeepsLettersForALife(Wrong):
    """They go with the connection that wrote them."""

    walk = LETTERS
    breaks = r"(letters after a|count of)"

    async def bury(self, message: Message, letter: DeadLetter) -> None:
        await super().bury(message, letter)
        self.__dict__.setdefault("written", []).append((message.task_name, letter.id))

    async def close(self) -> None:
        for queue, letter_id in self.__dict__.pop("written", ()):
            await self.delete_dead(queue, [letter_id])
        await super().close()


class TakesNoKeyForNone(Wrong):
    walk = KEYS
    breaks = r"unique key:"

    async def publish_unique(
        self, message: Message, key: str, hold: float = 0, delay: float = 0
    ) -> str:
        if not key:
            await self.publish(message, delay)
            return message.id
        return await super().publish_unique(message, key, hold, delay)


class TakesTheKeyFirst(Wrong):
    """What cannot be stored holds its key nevertheless."""

    walk = KEYS
    breaks = r"unique key:"

    async def publish_unique(
        self, message: Message, key: str, hold: float = 0, delay: float = 0
    ) -> str:
        if _is_no_json(message):
            with self.store.lend(message.task_name) as queue:
                queue.unique.hold(key, message.id, now() + 3600, now())
        return await super().publish_unique(message, key, hold, delay)


class StoresUniqueArgumentsAlone(Wrong):
    walk = KEYS
    breaks = r"(kwargs|ctx) after a publish_unique:"

    async def publish_unique(
        self, message: Message, key: str, hold: float = 0, delay: float = 0
    ) -> str:
        message.to_json()
        bare = Message(message.args, {}, message.task_name, {"unique": key}, message.id)
        return await super().publish_unique(bare, key, hold, delay)


class HoldsAnHourAtLeast(Wrong):
    """It knows no shorter hold."""

    walk = KEYS
    breaks = r"unique key: .*any more"

    async def publish_unique(
        self, message: Message, key: str, hold: float = 0, delay: float = 0
    ) -> str:
        return await super().publish_unique(message, key, 3600 if hold else 0, delay)


class CountsTicksBeforeItEncodes(Wrong):
    walk = TICKS
    breaks = r"(last_tick\(\)|answer of publish_tick\(\))"

    async def publish_tick(self, job: str, tick: float, message: Message) -> bool:
        with self.store.lend(message.task_name) as queue:
            last = queue.ticks.get(job, -math.inf)
            if _is_no_json(message) and tick > last:
                queue.ticks[job] = tick
        return await super().publish_tick(job, tick, message)


class CutsTicksToSeconds(Wrong):
    walk = TICKS
    breaks = r"(last_tick\(\)|answer of publish_tick\(\))"

    async def publish_tick(self, job: str, tick: float, message: Message) -> bool:
        return await super().publish_tick(job, math.floor(tick), message)


class ForgetsTicksWhenItCloses(Wrong):
    walk = TICKS
    breaks = r"(last_tick\(\)|answer of publish_tick\(\))"

    async def publish_tick(self, job: str, tick: float, message: Message) -> bool:
        self.__dict__.setdefault("jobs", set()).add((message.task_name, job))
        return await super().publish_tick(job, tick, message)

    async def close(self) -> None:
        for name, job in self.__dict__.pop("jobs", ()):
            with self.store.lend(name) as queue:
                queue.ticks.pop(job, None)
        await super().close()


class ShowsTenAtMost(Wrong):
    walk = LOOKS
    breaks = r"length of peek\(\):"

    async def peek(self, queue: str, limit: int = 10) -> Sequence[Message]:
        return await super().peek(queue, min(limit, 10))


class CountsLettersOfAllQueues(Wrong):
    walk = LOOKS
    breaks = r"stats.dead after a \w+:"

    async def stats(self, queue: str) -> QueueStats:
        figures = await super().stats(queue)
        dead = sum(len(each.dead) for each in self.store._queues.values())
        return QueueStats(
            figures.waiting,
            figures.due,
            figures.running,
            dead,
            figures.oldest_due,
            figures.paused,
        )


class ResumesWhenItCloses(Wrong):
    """Its pauses go with the connection that asked for them."""

    walk = PAUSES
    breaks = r"(paused\(\) after a|pause:)"

    async def pause(self, queue: str) -> None:
        await super().pause(queue)
        self.__dict__.setdefault("paused_by_me", set()).add(queue)

    async def close(self) -> None:
        for queue in self.__dict__.pop("paused_by_me", ()):
            await self.resume(queue)
        await super().close()


def _is_no_json(message: Message) -> bool:
    values = [*message.kwargs.values(), *message.ctx.values()]
    return any(type(value) is object for value in values)


def failure(wrong: type[Wrong], seeds: Collection[int] = range(24)) -> str:
    """How the walks with *wrong* fail."""
    suite, fact = wrong.walk
    url = f"memory://{uuid.uuid4().hex}?lease=1"

    async def make() -> MemoryBroker:
        return wrong(url)

    class Walked(suite):  # type: ignore[misc, valid-type]
        patience = 1.0

    Walked.seeds = seeds
    with pytest.raises(AssertionError) as caught:
        getattr(Walked(), fact)(make)
    return str(caught.value)


@pytest.mark.parametrize("wrong", Wrong.__subclasses__(), ids=lambda wrong: wrong.__name__)
def test_walks_come_across_a_fault(wrong: type[Wrong], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fault is found, and named by the promise that it breaks."""
    monkeypatch.setattr(play, "SHORTENING", 0)

    assert re.match(wrong.breaks, failure(wrong))


def test_failure_shows_the_seed_and_a_short_way_to_it() -> None:
    """What is left of a hundred steps are the few that matter."""
    first, seed, *calls = failure(RoundsWhatItNacks).splitlines()

    assert first.startswith("ctx after a nack: it is ")
    assert re.match(r"Seed \d+: try it alone with seeds = \[\d+\]", seed)
    assert len(calls) < 25
    assert [call for call in calls if re.search(r"[ABC]\.nack\(", call)]


def test_failure_is_found_again_by_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A seed that a failure names fails alone, by the same promise."""
    monkeypatch.setattr(play, "SHORTENING", 0)
    first = failure(TakesIdsWithoutCase)
    [seed] = re.findall(r"seeds = \[(\d+)\]", first)
    again = failure(TakesIdsWithoutCase, [int(seed)])

    assert again.partition(":")[0] == first.partition(":")[0]
