"""Facts about letters that are kept."""

from __future__ import annotations

import hashlib
import time

import pytest

from ltq_core.dead_letter import DeadLetter
from ltq_core.testing.broker.payloads import NO_MESSAGES
from ltq_core.testing.dead_letters.letters import Letters, letter_for, names_of
from ltq_core.testing.lab import QUEUE, Lab
from ltq_core.testing.suite import fact
from ltq_core.testing.waiting import wait_until


class KeepingFacts(Letters):
    """A letter is kept as it is, until it makes room for newer ones."""

    @fact
    async def test_letter_is_kept_whole(self, lab: Lab) -> None:
        """A letter comes back with everything that it said, however long that is."""
        await lab.publish("a", body=70_000 * "x")
        received = await lab.consume()
        deaths = [{"reason": "failed", "tries": number} for number in range(10)]
        received.ctx.update(tries=3, history=deaths)
        letter = letter_for(
            received,
            error_type="ValueError",
            error=1000 * "too late ",
            traceback=1000 * "in a line\nof code",
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
        names = names_of(await self.bury_many(lab, most + 5))

        async def kept() -> list[str]:
            return names_of(await self.of(lab.broker).dead_letters(QUEUE, limit=len(names)))

        async def has_made_room() -> bool:
            return len(await kept()) <= most

        await wait_until(has_made_room, lab.takeover, "old letters made room")
        assert await kept() == names[:4:-1]

    @fact
    async def test_letters_survive_clear(self, lab: Lab) -> None:
        """Clearing a queue leaves its letters; they do not count in its size."""
        await self.bury(lab, "a")
        size = await lab.broker.size(QUEUE)
        await lab.broker.clear(QUEUE)

        assert size == 0
        assert names_of(await self.of(lab.broker).dead_letters(QUEUE)) == ["a"]

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
