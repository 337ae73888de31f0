"""Facts about putting letters back."""

from __future__ import annotations

import asyncio

from ltq_core.testing.cancelling import Cuts
from ltq_core.testing.dead_letters.letters import Letters, letter_for, names_of
from ltq_core.testing.lab import QUEUE, Lab
from ltq_core.testing.suite import fact


class RequeueingFacts(Letters):
    """requeue_dead turns a letter into a message again, once."""

    @fact
    async def test_many_letters_are_requeued_at_once(self, lab: Lab) -> None:
        """A call puts more than a hundred letters back, each once, though named twice."""
        letters = await self.bury_many(lab, 120)
        ids = [letter.id for letter in letters]
        count = await self.of(lab.broker).requeue_dead(QUEUE, [*ids, *ids])

        assert count == 120
        assert await self.of(lab.broker).dead_letters(QUEUE) == []
        assert sorted(await lab.rest()) == sorted(names_of(letters))

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
    async def test_requeued_message_stands_behind_what_waits(self, lab: Lab) -> None:
        """A requeued message is due from its requeue on, whenever it was due before."""
        [letter] = await self.bury(lab, "a")
        await lab.publish("waiting")
        await self.of(lab.broker).requeue_dead(QUEUE, [letter.id])

        assert await lab.rest() == ["waiting", "a"]

    @fact
    async def test_oldest_letter_is_put_back_first(self, lab: Lab) -> None:
        """Messages stand in the order of their deaths, in whatever order they were named."""
        a, b, c = [letter.id for letter in await self.bury(lab, "a", "b", "c")]
        await self.of(lab.broker).requeue_dead(QUEUE, [b, c, a])

        assert await lab.rest() == ["a", "b", "c"]

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
        assert names_of(await dead.dead_letters(QUEUE)) == ["b"]
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
        dead = names_of(await self.of(lab.broker).dead_letters(QUEUE))

        assert sorted(dead + await lab.rest()) == cuts.names
