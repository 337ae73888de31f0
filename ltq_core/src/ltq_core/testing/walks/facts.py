"""The facts that random walks prove, for each class of the kit one or two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltq_core.abilities import DeadLetters, Pause
from ltq_core.testing.suite import Conformance, fact
from ltq_core.testing.walks.decks import EMPTYING, KEYS, LETTERS, LOOKS, PAUSES, TICKS
from ltq_core.testing.walks.play import go

if TYPE_CHECKING:
    from ltq_core.testing.lab import Lab


class CallWalks(Conformance):
    """Random walks of calls, compared with a simple model of the contract."""

    @fact
    async def test_random_calls_agree_with_a_model(self, lab: Lab) -> None:
        """Whatever is called in whatever order, what comes is what a simple model says."""
        await go(lab, self.seeds)

    @fact
    async def test_random_calls_leave_nothing_behind(self, lab: Lab) -> None:
        """When all that random calls stored has ended, the store is empty."""
        await go(lab, self.seeds, EMPTYING)
        await lab.broker.close()

        assert sorted(await self.leftovers()) == []


class LetterWalks(Conformance):
    """Random walks with dead letters."""

    @fact
    async def test_random_burials_agree_with_a_model(self, lab: Lab) -> None:
        """Whatever is buried, listed, put back and deleted, the letters are the model's."""
        await go(lab, self.seeds, LETTERS)


class KeyWalks(Conformance):
    """Random walks with unique keys."""

    @fact
    async def test_random_unique_sends_agree_with_a_model(self, lab: Lab) -> None:
        """However messages are sent and end, keys are held by those that the model says."""
        await go(lab, self.seeds, KEYS, LETTERS if isinstance(lab.broker, DeadLetters) else {})


class TickWalks(Conformance):
    """Random walks with ticks."""

    @fact
    async def test_random_ticks_agree_with_a_model(self, lab: Lab) -> None:
        """Whatever ticks are sent, those are messages that the model says."""
        await go(lab, self.seeds, TICKS)


class LookWalks(Conformance):
    """Random walks that look into queues."""

    @fact
    async def test_random_looks_agree_with_a_model(self, lab: Lab) -> None:
        """Whenever a queue is looked at, its figures and messages are the model's."""
        letters = LETTERS if isinstance(lab.broker, DeadLetters) else {}
        pauses = PAUSES if isinstance(lab.broker, Pause) else {}
        await go(lab, self.seeds, LOOKS, letters, pauses)


class PauseWalks(Conformance):
    """Random walks with pauses."""

    @fact
    async def test_random_pauses_agree_with_a_model(self, lab: Lab) -> None:
        """Whatever is paused and resumed, what comes is what the model says."""
        await go(lab, self.seeds, PAUSES)
