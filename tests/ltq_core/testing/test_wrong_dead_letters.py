"""Brokers that keep dead letters wrongly, as real ones did: each fault is caught."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, ClassVar

import pytest

from ltq_core.clock import now
from ltq_core.dead_letter import REASONS, DeadLetter
from ltq_core.errors import LeaseLostError
from ltq_core.testing import DeadLettersConformance
from ltq_memory.broker import MemoryBroker
from ltq_memory.leases import receipt
from ltq_memory.lines import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ltq_core.message import Message


class Wrong(MemoryBroker):
    """One fault, and the fact that must fail with it."""

    caught_by: ClassVar[str]


class BuriesInTwoSteps(Wrong):
    caught_by = "test_cancelled_burial_loses_nothing"

    async def bury(self, message: Message, letter: DeadLetter) -> None:
        await self.ack(message)
        await asyncio.sleep(0)
        with self.store.lend(letter.queue) as lent:
            lent.dead.bury(letter.id, letter.to_json(), now(), self.settings)


class SettlesBeforeItEncodes(Wrong):
    caught_by = "test_burial_that_cannot_be_stored_keeps_the_lease"
    fails_with = LeaseLostError

    async def bury(self, message: Message, letter: DeadLetter) -> None:
        await self.ack(message)
        raw = letter.to_json()
        with self.store.lend(letter.queue) as lent:
            lent.dead.bury(letter.id, raw, now(), self.settings)


class BuriesAllOfAnId(Wrong):
    caught_by = "test_burial_leaves_what_was_published_meanwhile"

    async def bury(self, message: Message, letter: DeadLetter) -> None:
        await super().bury(message, letter)
        if message.id in [each.id for each in await self.peek(letter.queue, 100)]:
            await self.clear(letter.queue)


class BuriesWhatItLost(Wrong):
    caught_by = "test_late_burial_changes_nothing"

    async def bury(self, message: Message, letter: DeadLetter) -> None:
        self._bury(receipt(message), letter)
        with self.store.lend(letter.queue) as lent:
            lent.dead.bury(letter.id, letter.to_json(), now(), self.settings)


class RequeuesInTwoSteps(Wrong):
    caught_by = "test_cancelled_requeue_loses_nothing"

    async def requeue_dead(self, queue: str, ids: Collection[str]) -> int:
        letters = await self.dead_letters(queue, ids)
        await self.delete_dead(queue, ids)
        await asyncio.sleep(0)
        await self.publish_many([each.message for each in letters if each.message])
        return len(letters)


class RequeuesAtTheOldTime(Wrong):
    caught_by = "test_requeued_message_stands_behind_what_waits"

    async def requeue_dead(self, queue: str, ids: Collection[str]) -> int:
        letters = await self.dead_letters(queue, ids)
        with self.store.lend(queue) as lent:
            for each in letters:
                self.store.put(lent, [Entry.of(each.message, each.message.ctx["created_at"])])
        return await self.delete_dead(queue, ids)


class RequeuesFromAStaleList(Wrong):
    caught_by = "test_racing_requeues_double_nothing"

    async def requeue_dead(self, queue: str, ids: Collection[str]) -> int:
        letters = await self.dead_letters(queue, ids)
        await asyncio.sleep(0)
        for number, each in enumerate(letters):
            each.message.ctx["copy"] = f"{id(self)} {number}"
        await self.publish_many([each.message for each in letters if each.message])
        await self.delete_dead(queue, ids)
        return len(letters)


class RequeuesWithOldTries(Wrong):
    caught_by = "test_requeued_message_starts_anew"

    async def requeue_dead(self, queue: str, ids: Collection[str]) -> int:
        letters = await self.dead_letters(queue, ids)
        await self.publish_many([each.message for each in letters if each.message])
        return await self.delete_dead(queue, ids)


class ClearsTheDead(Wrong):
    caught_by = "test_letters_survive_clear"

    async def clear(self, queue: str) -> None:
        await super().clear(queue)
        await self.delete_dead(queue, [each.id for each in await self.dead_letters(queue)])


class ForgetsTheUndecodable(Wrong):
    caught_by = "test_bad_bytes_become_letters"

    def _give_up(self, lease: object, error: Exception) -> None:
        self.store.ack([lease])


class CutsErrors(Wrong):
    caught_by = "test_letter_is_kept_whole"

    async def bury(self, message: Message, letter: DeadLetter) -> None:
        await super().bury(message, replace(letter, error=letter.error[:2000]))


class CutsTracebacks(Wrong):
    caught_by = "test_letter_is_kept_whole"

    async def bury(self, message: Message, letter: DeadLetter) -> None:
        await super().bury(message, replace(letter, traceback=letter.traceback[-2000:]))


class KeepsNoLargeMessage(Wrong):
    caught_by = "test_letter_is_kept_whole"

    async def bury(self, message: Message, letter: DeadLetter) -> None:
        large = len(message.to_json()) > 65_536
        await super().bury(message, replace(letter, message=None if large else message))


class KnowsItsReasons(Wrong):
    caught_by = "test_unknown_reason_is_kept"

    async def bury(self, message: Message, letter: DeadLetter) -> None:
        reason = letter.reason if letter.reason in REASONS else "failed"
        await super().bury(message, replace(letter, reason=reason))


class KeepsTheLetterItself(Wrong):
    caught_by = "test_letter_is_not_shared"
    kept: ClassVar[dict[str, DeadLetter]] = {}

    async def bury(self, message: Message, letter: DeadLetter) -> None:
        await super().bury(message, letter)
        self.kept[letter.id] = letter

    async def dead_letters(
        self, queue: str, ids: Collection[str] | None = None, limit: int = 1000
    ) -> list[DeadLetter]:
        found = await super().dead_letters(queue, ids, limit)
        return [self.kept.get(letter.id, letter) for letter in found]


class ListsFromACache(Wrong):
    """What a caller does to a letter, the next one sees."""

    caught_by = "test_letter_is_not_shared"
    listed: ClassVar[dict[str, DeadLetter]] = {}

    async def dead_letters(
        self, queue: str, ids: Collection[str] | None = None, limit: int = 1000
    ) -> list[DeadLetter]:
        found = await super().dead_letters(queue, ids, limit)
        return [self.listed.setdefault(letter.id, letter) for letter in found]


class KeepsEveryLetter(Wrong):
    caught_by = "test_oldest_letters_make_room"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.settings = replace(self.settings, dead_letters=1_000_000)


class RefusesNewLetters(Wrong):
    """It is full of old ones, and drops what comes."""

    caught_by = "test_oldest_letters_make_room"

    async def bury(self, message: Message, letter: DeadLetter) -> None:
        if len(await self.dead_letters(message.task_name)) < self.settings.dead_letters:
            await super().bury(message, letter)
        else:
            await self.ack(message)


class DeletesFromAnyQueue(Wrong):
    caught_by = "test_other_queue_reaches_no_letter"

    async def delete_dead(self, queue: str, ids: Collection[str]) -> int:
        count = 0
        for name in await self.queues():
            count += await super().delete_dead(name, ids)
        return count


class RequeuesFromAnyQueue(Wrong):
    caught_by = "test_other_queue_reaches_no_letter"

    async def requeue_dead(self, queue: str, ids: Collection[str]) -> int:
        count = 0
        for name in await self.queues():
            count += await super().requeue_dead(name, ids)
        return count


class FindsAllForNone(Wrong):
    caught_by = "test_no_ids_stand_for_no_letters"

    async def dead_letters(
        self, queue: str, ids: Collection[str] | None = None, limit: int = 1000
    ) -> list[DeadLetter]:
        return await super().dead_letters(queue, ids or None, limit)


class RequeuesAllForNone(Wrong):
    caught_by = "test_no_ids_stand_for_no_letters"

    async def requeue_dead(self, queue: str, ids: Collection[str]) -> int:
        return await super().requeue_dead(queue, ids or await every_id(self, queue))


class DeletesAllForNone(Wrong):
    caught_by = "test_no_ids_stand_for_no_letters"

    async def delete_dead(self, queue: str, ids: Collection[str]) -> int:
        return await super().delete_dead(queue, ids or await every_id(self, queue))


class TakesIdsForPatterns(Wrong):
    caught_by = "test_unknown_ids_change_nothing"

    async def delete_dead(self, queue: str, ids: Collection[str]) -> int:
        known = await every_id(self, queue)
        hit = [each for each in known if any(fnmatchcase(each, wanted) for wanted in ids)]
        return await super().delete_dead(queue, hit)


class CountsWhatItWasAskedFor(Wrong):
    caught_by = "test_unknown_ids_change_nothing"

    async def requeue_dead(self, queue: str, ids: Collection[str]) -> int:
        await super().requeue_dead(queue, ids)
        return len(ids)


class ListsOnePage(Wrong):
    caught_by = "test_many_letters_are_listed_at_once"

    async def dead_letters(
        self, queue: str, ids: Collection[str] | None = None, limit: int = 1000
    ) -> list[DeadLetter]:
        return await super().dead_letters(queue, ids, min(limit, 100))


class RequeuesOnePage(Wrong):
    caught_by = "test_many_letters_are_requeued_at_once"

    async def requeue_dead(self, queue: str, ids: Collection[str]) -> int:
        return await super().requeue_dead(queue, list(ids)[:100])


class RequeuesTwiceWhatIsNamedTwice(Wrong):
    caught_by = "test_many_letters_are_requeued_at_once"

    async def requeue_dead(self, queue: str, ids: Collection[str]) -> int:
        known = await self.dead_letters(queue, ids)
        await super().requeue_dead(queue, ids)
        return sum(letter.id == wanted for letter in known for wanted in ids)


class DeletesOnePage(Wrong):
    caught_by = "test_many_letters_are_deleted_at_once"

    async def delete_dead(self, queue: str, ids: Collection[str]) -> int:
        known = await self.dead_letters(queue, ids, limit=100)
        return await super().delete_dead(queue, [letter.id for letter in known])


class RequeuesNothingThatWaits(Wrong):
    """It passes over a letter whose message waits."""

    caught_by = "test_requeue_beside_its_waiting_message_loses_neither"

    async def requeue_dead(self, queue: str, ids: Collection[str]) -> int:
        waiting = {each.id for each in await self.peek(queue, 1000)}
        return await super().requeue_dead(queue, [each for each in ids if each not in waiting])


class ReplacesWhatWaits(Wrong):
    """It makes room for what it puts back, and loses both."""

    caught_by = "test_requeue_beside_its_waiting_message_loses_neither"

    async def requeue_dead(self, queue: str, ids: Collection[str]) -> int:
        if any(each.id in ids for each in await self.peek(queue, 1000)):
            await self.clear(queue)
            return await self.delete_dead(queue, ids)
        return await super().requeue_dead(queue, ids)


class OrdersByFirstDeath(Wrong):
    caught_by = "test_message_that_died_again_is_the_newest"
    deaths: ClassVar[dict[str, int]] = {}

    async def bury(self, message: Message, letter: DeadLetter) -> None:
        self.deaths.setdefault(letter.id, len(self.deaths))
        await super().bury(message, letter)

    async def dead_letters(
        self, queue: str, ids: Collection[str] | None = None, limit: int = 1000
    ) -> list[DeadLetter]:
        found = await super().dead_letters(queue, ids, limit)
        return sorted(found, key=lambda letter: self.deaths.get(letter.id, 0), reverse=True)


class KeepsEveryDeath(Wrong):
    """A letter is known by its bytes: an id that dies twice has two."""

    caught_by = "test_second_death_of_an_id_replaces_the_first"

    async def dead_letters(
        self, queue: str, ids: Collection[str] | None = None, limit: int = 1000
    ) -> list[DeadLetter]:
        letters = await super().dead_letters(queue, ids, limit)
        return letters + [each for each in getattr(self, "older", []) if each.queue == queue]

    async def bury(self, message: Message, letter: DeadLetter) -> None:
        self.older = await super().dead_letters(letter.queue, [letter.id])
        await super().bury(message, letter)


class KeepsTheFirstDeath(Wrong):
    """The id is there: it conflicts, and does nothing."""

    caught_by = "test_second_death_of_an_id_replaces_the_first"

    async def bury(self, message: Message, letter: DeadLetter) -> None:
        older = await self.dead_letters(letter.queue, [letter.id])
        await super().bury(message, older[0] if older else letter)


class RequeuesTheNewestFirst(Wrong):
    """It puts them back as it lists them."""

    caught_by = "test_oldest_letter_is_put_back_first"

    async def requeue_dead(self, queue: str, ids: Collection[str]) -> int:
        letters = await self.dead_letters(queue, set(ids))
        return sum([await MemoryBroker.requeue_dead(self, queue, [one.id]) for one in letters])


class RequeuesAsTheyAreNamed(Wrong):
    caught_by = "test_oldest_letter_is_put_back_first"

    async def requeue_dead(self, queue: str, ids: Collection[str]) -> int:
        return sum([await MemoryBroker.requeue_dead(self, queue, [each]) for each in ids])


class ListsAllForZero(Wrong):
    """It stops when it has found as many as that: never."""

    caught_by = "test_limit_of_zero_lists_nothing"

    async def dead_letters(
        self, queue: str, ids: Collection[str] | None = None, limit: int = 1000
    ) -> list[DeadLetter]:
        return await super().dead_letters(queue, ids, limit or 1000)


async def every_id(broker: MemoryBroker, queue: str) -> list[str]:
    """The ids of all letters of a queue."""
    return [letter.id for letter in await broker.dead_letters(queue)]


@pytest.mark.parametrize("wrong", Wrong.__subclasses__(), ids=lambda wrong: wrong.__name__)
def test_wrong_dead_letters_are_caught(
    wrong: type[Wrong], assert_caught: Callable[..., None]
) -> None:
    """The fact that names the fault fails."""
    assert_caught(DeadLettersConformance, wrong)
