"""Messages that were given up, as the facts make them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from ltq_core.abilities import DeadLetters
from ltq_core.dead_letter import DeadLetter
from ltq_core.testing.ability import AbilityConformance
from ltq_core.testing.lab import QUEUE, Lab, labels, message

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


def names_of(letters: list[DeadLetter]) -> list[str]:
    """The label of each letter's message."""
    return labels([letter.message for letter in letters if letter.message is not None])


class Letters(AbilityConformance[DeadLetters]):
    """How a fact comes to its dead letters."""

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
