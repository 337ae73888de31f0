"""Facts about which letters a call reaches."""

from __future__ import annotations

from ltq_core.testing.dead_letters.letters import Letters, names_of
from ltq_core.testing.lab import OTHER, QUEUE, Lab
from ltq_core.testing.suite import fact


class FindingFacts(Letters):
    """Letters are found by their queue and the ids of their messages."""

    @fact
    async def test_newest_letter_comes_first(self, lab: Lab) -> None:
        """Letters are listed from the newest, up to a limit."""
        await self.bury(lab, "a", "b", "c")
        dead = self.of(lab.broker)

        assert names_of(await dead.dead_letters(QUEUE)) == ["c", "b", "a"]
        assert names_of(await dead.dead_letters(QUEUE, limit=2)) == ["c", "b"]

    @fact
    async def test_limit_of_zero_lists_nothing(self, lab: Lab) -> None:
        """With a limit of 0 no letter is listed, and not all."""
        [letter] = await self.bury(lab, "a")
        dead = self.of(lab.broker)

        assert await dead.dead_letters(QUEUE, limit=0) == []
        assert await dead.dead_letters(QUEUE, [letter.id], limit=0) == []

    @fact
    async def test_many_letters_are_listed_at_once(self, lab: Lab) -> None:
        """A call lists more than a hundred letters, up to its limit."""
        names = names_of(await self.bury_many(lab, 120))[::-1]
        dead = self.of(lab.broker)

        assert names_of(await dead.dead_letters(QUEUE)) == names
        assert names_of(await dead.dead_letters(QUEUE, limit=110)) == names[:110]

    @fact
    async def test_letters_are_found_by_id(self, lab: Lab) -> None:
        """Letters can be asked for by the ids of their messages."""
        letters = await self.bury(lab, "a", "b", "c")
        ids = [letters[0].id, letters[2].id, "no such id"]

        assert sorted(names_of(await self.of(lab.broker).dead_letters(QUEUE, ids))) == [
            "a",
            "c",
        ]

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
        assert names_of(await dead.dead_letters(QUEUE)) == ["a"]

    @fact
    async def test_no_ids_stand_for_no_letters(self, lab: Lab) -> None:
        """An empty collection of ids finds, puts back and deletes nothing."""
        await self.bury(lab, "a", "b")
        dead = self.of(lab.broker)
        found = await dead.dead_letters(QUEUE, [])
        counts = [await dead.requeue_dead(QUEUE, []), await dead.delete_dead(QUEUE, [])]

        assert (found, counts) == ([], [0, 0])
        assert names_of(await dead.dead_letters(QUEUE)) == ["b", "a"]
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
        assert names_of(await dead.dead_letters(QUEUE)) == ["a"]

    @fact
    async def test_many_letters_are_deleted_at_once(self, lab: Lab) -> None:
        """A call deletes more than a hundred letters, each once, though named twice."""
        ids = [letter.id for letter in await self.bury_many(lab, 120)]
        count = await self.of(lab.broker).delete_dead(QUEUE, [*ids, *ids])

        assert count == 120
        assert await self.of(lab.broker).dead_letters(QUEUE) == []
        assert await lab.rest() == []

    @fact
    async def test_deleted_letter_is_gone(self, lab: Lab) -> None:
        """Only the letters that were asked for are deleted."""
        letters = await self.bury(lab, "a", "b")
        dead = self.of(lab.broker)

        assert await dead.delete_dead(QUEUE, [letters[0].id, "no such id"]) == 1
        assert names_of(await dead.dead_letters(QUEUE)) == ["b"]
        assert await lab.rest() == []
