"""Facts about messages that were given up."""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from ltq_core.abilities import DeadLetter, DeadLetters
from ltq_core.errors import EncodeError, LeaseLostError
from ltq_core.testing.ability import AbilityConformance
from ltq_core.testing.broker.payloads import NO_MESSAGES
from ltq_core.testing.cancelling import Cuts
from ltq_core.testing.lab import OTHER, QUEUE, Lab, labels, message
from ltq_core.testing.suite import fact
from ltq_core.testing.waiting import wait_until

if TYPE_CHECKING:
    from ltq_core.broker import Broker
    from ltq_core.message import Message


def letter_for(dead: Message, **fields: Any) -> DeadLetter:
    """A letter as a worker writes it."""
    return DeadLetter(dead.id, dead.task_name, "rejected", time.time(), dead, **fields)


async def bury_or_skip(broker: Broker, received: Message) -> None:
    """Bury *received*; skips the fact of another ability where none are kept."""
    if not isinstance(broker, DeadLetters):
        pytest.skip("burial is not tested: the broker keeps no dead letters")
    await broker.bury(received, letter_for(received))


class DeadLettersConformance(AbilityConformance[DeadLetters]):
    """What is given up is kept, and can be put back, once."""

    ability = DeadLetters

    most: ClassVar[int | None] = None
    """How many letters a queue keeps in what ``make_broker`` makes, at least 150. None:
    that the oldest go is not tested."""

    async def bury(
        self, lab: Lab, *names: str, broker: Broker | None = None
    ) -> list[DeadLetter]:
        """Publish, consume and bury a message for each name; their letters."""
        letters = []
        for name in names:
            await lab.publish(name)
            received = await lab.consume(broker)
            letters.append(letter_for(received, tries=3))
            await self.of(broker or lab.broker).bury(received, letters[-1])
        return letters

    async def bury_many(self, lab: Lab, count: int) -> list[DeadLetter]:
        """Bury so many messages, named by their numbers; their letters."""
        await lab.broker.publish_many([message(f"{number:03}") for number in range(count)])
        letters: list[DeadLetter] = []
        while len(letters) < count:
            call = lab.broker.consume_many([QUEUE], 50)
            for received in await lab.soon(call, "consume_many"):
                letters.append(letter_for(received))
                await self.of(lab.broker).bury(received, letters[-1])
        return letters

    @fact
    async def test_letter_is_kept_whole(self, lab: Lab) -> None:
        """A letter comes back with everything that it said."""
        await lab.publish("a")
        received = await lab.consume()
        received.ctx["tries"] = 3
        letter = letter_for(
            received,
            error_type="ValueError",
            error="too late",
            traceback="in a line\nof code",
            tries=3,
            crashes=1,
            created_at=1.25,
            worker="w",
            host="h",
        )
        await self.of(lab.broker).bury(received, letter)

        assert await self.of(await lab.connect()).dead_letters(QUEUE) == [letter]

    @fact
    async def test_unknown_reason_is_kept(self, lab: Lab) -> None:
        """A reason that only a newer version knows is kept as it is."""
        await lab.publish("a")
        received = await lab.consume()
        letter = DeadLetter(received.id, QUEUE, "struck by lightning", time.time(), received)
        await self.of(lab.broker).bury(received, letter)

        assert await self.of(lab.broker).dead_letters(QUEUE) == [letter]

    @fact
    async def test_letter_is_not_shared(self, lab: Lab) -> None:
        """What is done to a letter that was buried, or listed, changes none that is kept."""
        [buried] = await self.bury(lab, "a")
        before = buried.to_json()
        [listed] = await self.of(lab.broker).dead_letters(QUEUE)
        for letter in (buried, listed):
            assert letter.message is not None
            letter.message.ctx["changed"] = True
            letter.reason = "changed"
        [kept] = await self.of(lab.broker).dead_letters(QUEUE)

        assert kept.to_json() == before

    @fact
    async def test_oldest_letters_make_room(self, lab: Lab) -> None:
        """No more letters are kept than the broker was told to keep: the newest."""
        if self.most is None:
            pytest.skip("what makes room is not tested: the class defines no most")
        most = self.most
        names = _names(await self.bury_many(lab, most + 5))

        async def kept() -> list[str]:
            return _names(await self.of(lab.broker).dead_letters(QUEUE, limit=len(names)))

        async def has_made_room() -> bool:
            return len(await kept()) <= most

        await wait_until(has_made_room, lab.takeover, "old letters made room")
        assert await kept() == names[:4:-1]

    @fact
    async def test_buried_message_never_comes_back(self, lab: Lab) -> None:
        """Burying settles the message, though its ``ctx`` changed."""
        worker = await lab.connect()
        await lab.publish("a")
        received = await lab.consume(worker)
        received.ctx["tries"] = 3
        await self.of(worker).bury(received, letter_for(received))
        await worker.close()

        assert await lab.rest() == []

    @fact
    async def test_cancelled_burial_loses_nothing(self, lab: Lab) -> None:
        """A burial that was cancelled happened wholly or not at all."""
        worker, cuts = await lab.connect(), Cuts()
        for name in cuts.names:
            await lab.publish(name)
            received = await lab.consume(worker)
            await cuts.cut(self.of(worker).bury(received, letter_for(received)))
        await worker.close()
        dead = _names(await self.of(lab.broker).dead_letters(QUEUE))

        assert sorted(dead + await lab.rest()) == cuts.names

    @fact
    async def test_late_burial_changes_nothing(self, lab: Lab) -> None:
        """A worker that lost its lease cannot bury: LeaseLostError, and no letter."""
        late = await lab.fenced("a")
        letter = letter_for(late.held[0])
        with pytest.raises(LeaseLostError):
            await late.do(lambda broker: self.of(broker).bury(late.held[0], letter))
        await lab.broker.nack(lab.stolen[0])

        assert await self.of(lab.broker).dead_letters(QUEUE) == []
        assert await lab.rest() == ["a"]

    @fact
    async def test_burial_that_cannot_be_stored_keeps_the_lease(self, lab: Lab) -> None:
        """A burial whose ``ctx`` is no JSON raises EncodeError; the message is still held."""
        worker = await lab.connect()
        await lab.publish("a")
        received = await lab.consume(worker)
        received.ctx["no json"] = object()
        with pytest.raises(EncodeError):
            await self.of(worker).bury(received, letter_for(received))
        del received.ctx["no json"]
        await worker.nack(received)

        assert await self.of(lab.broker).dead_letters(QUEUE) == []
        assert await lab.rest() == ["a"]

    @fact
    async def test_burial_leaves_what_was_published_meanwhile(self, lab: Lab) -> None:
        """A run that is buried takes no other message of its id with it."""
        [sent] = await lab.publish("a")
        received = await lab.consume()
        await lab.broker.publish(sent)
        await self.of(lab.broker).bury(received, letter_for(received))

        assert _names(await self.of(lab.broker).dead_letters(QUEUE)) == ["a"]
        assert await lab.rest() == ["a"]

    @fact
    async def test_newest_letter_comes_first(self, lab: Lab) -> None:
        """Letters are listed from the newest, up to a limit."""
        await self.bury(lab, "a", "b", "c")
        dead = self.of(lab.broker)

        assert _names(await dead.dead_letters(QUEUE)) == ["c", "b", "a"]
        assert _names(await dead.dead_letters(QUEUE, limit=2)) == ["c", "b"]

    @fact
    async def test_letters_are_found_by_id(self, lab: Lab) -> None:
        """Letters can be asked for by the ids of their messages."""
        letters = await self.bury(lab, "a", "b", "c")
        ids = [letters[0].id, letters[2].id, "no such id"]

        assert sorted(_names(await self.of(lab.broker).dead_letters(QUEUE, ids))) == ["a", "c"]

    @fact
    async def test_letters_belong_to_their_queue(self, lab: Lab) -> None:
        """Another queue has letters of its own."""
        await self.bury(lab, "a")

        assert await self.of(lab.broker).dead_letters(OTHER) == []

    @fact
    async def test_other_queue_reaches_no_letter(self, lab: Lab) -> None:
        """A letter is neither found, put back nor deleted through another queue."""
        [letter] = await self.bury(lab, "a")
        dead = self.of(lab.broker)
        found = await dead.dead_letters(OTHER, [letter.id])
        counts = [await dead.requeue_dead(OTHER, [letter.id])]
        counts.append(await dead.delete_dead(OTHER, [letter.id]))

        assert (found, counts) == ([], [0, 0])
        assert _names(await dead.dead_letters(QUEUE)) == ["a"]

    @fact
    async def test_letters_survive_clear(self, lab: Lab) -> None:
        """Clearing a queue leaves its letters; they do not count in its size."""
        await self.bury(lab, "a")
        size = await lab.broker.size(QUEUE)
        await lab.broker.clear(QUEUE)

        assert size == 0
        assert _names(await self.of(lab.broker).dead_letters(QUEUE)) == ["a"]

    @fact
    async def test_no_ids_stand_for_no_letters(self, lab: Lab) -> None:
        """An empty collection of ids finds, puts back and deletes nothing."""
        await self.bury(lab, "a", "b")
        dead = self.of(lab.broker)
        found = await dead.dead_letters(QUEUE, [])
        counts = [await dead.requeue_dead(QUEUE, []), await dead.delete_dead(QUEUE, [])]

        assert (found, counts) == ([], [0, 0])
        assert _names(await dead.dead_letters(QUEUE)) == ["b", "a"]
        assert await lab.rest() == []

    @fact
    async def test_unknown_ids_change_nothing(self, lab: Lab) -> None:
        """Ids of which there is no letter are passed over, wild ones too."""
        await self.bury(lab, "a")
        ids = ["no such id", "", "*", "%", "_" * 16]
        dead = self.of(lab.broker)
        found = await dead.dead_letters(QUEUE, ids)
        counts = [await dead.requeue_dead(QUEUE, ids), await dead.delete_dead(QUEUE, ids)]

        assert (found, counts) == ([], [0, 0])
        assert _names(await dead.dead_letters(QUEUE)) == ["a"]

    @fact
    async def test_many_letters_are_requeued_at_once(self, lab: Lab) -> None:
        """A call puts more than a hundred letters back, each once, though named twice."""
        letters = await self.bury_many(lab, 120)
        ids = [letter.id for letter in letters]
        count = await self.of(lab.broker).requeue_dead(QUEUE, [*ids, *ids])

        assert count == 120
        assert await self.of(lab.broker).dead_letters(QUEUE) == []
        assert sorted(await lab.rest()) == sorted(_names(letters))

    @fact
    async def test_many_letters_are_deleted_at_once(self, lab: Lab) -> None:
        """A call deletes more than a hundred letters, each once, though named twice."""
        ids = [letter.id for letter in await self.bury_many(lab, 120)]
        count = await self.of(lab.broker).delete_dead(QUEUE, [*ids, *ids])

        assert count == 120
        assert await self.of(lab.broker).dead_letters(QUEUE) == []
        assert await lab.rest() == []

    @fact
    async def test_requeued_message_starts_anew(self, lab: Lab) -> None:
        """A requeued message keeps id, arguments and history, and has no tries or crashes."""
        await lab.publish("a")
        received = await lab.consume()
        received.ctx.update(tries=3, due_at=1.0, kept="yes")
        await self.of(lab.broker).bury(received, letter_for(received, tries=3))
        count = await self.of(lab.broker).requeue_dead(QUEUE, [received.id])
        again = await lab.consume()

        assert (count, again.id, again.args) == (1, received.id, received.args)
        assert "tries" not in again.ctx
        assert "due_at" not in again.ctx
        assert again.ctx["kept"] == "yes"
        assert [death["reason"] for death in again.ctx["history"]] == ["rejected"]
        assert again.delivery is not None
        assert again.delivery.crashes == 0

    @fact
    async def test_requeue_wakes_who_waits(self, lab: Lab) -> None:
        """A consumer that waits gets a requeued message."""
        [letter] = await self.bury(lab, "a")
        waiting = await lab.still_waits(lab.broker.consume(QUEUE))
        await self.of(await lab.connect()).requeue_dead(QUEUE, [letter.id])

        assert (await lab.soon(waiting, "the waiting consume")).id == letter.id

    @fact
    async def test_requeued_letter_is_gone(self, lab: Lab) -> None:
        """Only the letters that were asked for are put back, once."""
        letters = await self.bury(lab, "a", "b")
        dead = self.of(lab.broker)
        counts = [await dead.requeue_dead(QUEUE, [letters[0].id, "no such id"]) for _ in "12"]

        assert counts == [1, 0]
        assert _names(await dead.dead_letters(QUEUE)) == ["b"]
        assert await lab.rest() == ["a"]

    @fact
    async def test_requeue_beside_its_waiting_message_loses_neither(self, lab: Lab) -> None:
        """A letter whose message waits again is put back: as a second one, or as the same."""
        await lab.publish("a")
        received = await lab.consume()
        await self.of(lab.broker).bury(received, letter_for(received))
        await lab.broker.publish(received)
        count = await self.of(lab.broker).requeue_dead(QUEUE, [received.id])

        assert count == 1
        assert await self.of(lab.broker).dead_letters(QUEUE) == []
        assert await lab.rest() in (["a"], ["a", "a"])

    @fact
    async def test_racing_requeues_double_nothing(self, lab: Lab) -> None:
        """Of two that requeue one letter at one moment, one succeeds."""
        names = [f"{number:02}" for number in range(20)]
        letters = await self.bury(lab, *names)
        both = [self.of(lab.broker), self.of(await lab.connect())]
        calls = [each.requeue_dead(QUEUE, [letter.id]) for letter in letters for each in both]
        counts = await asyncio.gather(*calls)

        assert sum(counts) == 20
        assert sorted(await lab.rest()) == names

    @fact
    async def test_cancelled_requeue_loses_nothing(self, lab: Lab) -> None:
        """A requeue that was cancelled happened wholly or not at all."""
        cuts = Cuts()
        for letter in await self.bury(lab, *cuts.names):
            await cuts.cut(self.of(lab.broker).requeue_dead(QUEUE, [letter.id]))
        dead = _names(await self.of(lab.broker).dead_letters(QUEUE))

        assert sorted(dead + await lab.rest()) == cuts.names

    @fact
    async def test_message_can_die_again(self, lab: Lab) -> None:
        """A requeued message that is given up again has one letter, with both deaths."""
        [letter] = await self.bury(lab, "a")
        dead = self.of(lab.broker)
        await dead.requeue_dead(QUEUE, [letter.id])
        again = await lab.consume()
        await dead.bury(again, letter_for(again))
        await dead.requeue_dead(QUEUE, [letter.id])

        assert len((await lab.consume()).ctx["history"]) == 2
        assert await dead.dead_letters(QUEUE) == []

    @fact
    async def test_message_that_died_again_is_the_newest(self, lab: Lab) -> None:
        """The letter of a message that dies again stands before those that died meanwhile."""
        [first, _] = await self.bury(lab, "a", "b")
        dead = self.of(lab.broker)
        await dead.requeue_dead(QUEUE, [first.id])
        again = await lab.consume()
        await dead.bury(again, letter_for(again))

        assert _names(await dead.dead_letters(QUEUE)) == ["a", "b"]

    @fact
    async def test_deleted_letter_is_gone(self, lab: Lab) -> None:
        """Only the letters that were asked for are deleted."""
        letters = await self.bury(lab, "a", "b")
        dead = self.of(lab.broker)

        assert await dead.delete_dead(QUEUE, [letters[0].id, "no such id"]) == 1
        assert _names(await dead.dead_letters(QUEUE)) == ["b"]
        assert await lab.rest() == []

    @fact
    async def test_letter_without_a_message_stays(self, lab: Lab) -> None:
        """A letter whose message could not be decoded is not requeued."""
        await lab.publish("a")
        received = await lab.consume()
        letter = DeadLetter(received.id, QUEUE, "undecodable", time.time(), body="no json")
        await self.of(lab.broker).bury(received, letter)

        assert await self.of(lab.broker).requeue_dead(QUEUE, [letter.id]) == 0
        assert await self.of(lab.broker).dead_letters(QUEUE) == [letter]

    @fact
    async def test_bad_bytes_become_letters(self, lab: Lab) -> None:
        """Stored bytes that are no message are kept, under the digest of their bytes."""
        for data in NO_MESSAGES:
            await self.put_raw(lab.broker, QUEUE, data)
        await lab.rest()
        letters = await self.of(lab.broker).dead_letters(QUEUE)

        digests = {hashlib.sha256(data).hexdigest()[:16] for data in NO_MESSAGES}
        assert {letter.id for letter in letters} == digests
        assert {letter.reason for letter in letters} == {"undecodable"}
        assert all(letter.message is None for letter in letters)


def _names(letters: list[DeadLetter]) -> list[str]:
    return labels([letter.message for letter in letters if letter.message is not None])
