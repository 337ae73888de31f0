"""Facts about burying."""

from __future__ import annotations

import pytest

from ltq_core.errors import EncodeError, LeaseLostError
from ltq_core.testing.cancelling import Cuts
from ltq_core.testing.dead_letters.letters import Letters, letter_for, names_of
from ltq_core.testing.lab import QUEUE, Lab
from ltq_core.testing.suite import fact


class BuryingFacts(Letters):
    """bury settles a message and keeps its letter, in one step."""

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
        dead = names_of(await self.of(lab.broker).dead_letters(QUEUE))

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

        assert names_of(await self.of(lab.broker).dead_letters(QUEUE)) == ["a"]
        assert await lab.rest() == ["a"]

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

        assert names_of(await dead.dead_letters(QUEUE)) == ["a", "b"]

    @fact
    async def test_second_death_of_an_id_replaces_the_first(self, lab: Lab) -> None:
        """An id that dies twice has one letter, the newest; deleted, it has none."""
        [first, _] = await self.bury(lab, "a", "b")
        assert first.message is not None
        await lab.broker.publish(first.message)
        again = await lab.consume()
        await self.of(lab.broker).bury(again, letter_for(again, error="the second"))
        letters = await self.of(lab.broker).dead_letters(QUEUE)
        count = await self.of(lab.broker).delete_dead(QUEUE, [first.id])

        assert [(letter.error, *names_of([letter])) for letter in letters] == [
            ("the second", "a"),
            ("", "b"),
        ]
        assert count == 1
        assert names_of(await self.of(lab.broker).dead_letters(QUEUE)) == ["b"]
