"""Going walks, and telling what was wrong with the shortest one that fails."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, NamedTuple

from ltq_core.testing.walks.decks import CALLS
from ltq_core.testing.walks.draws import Draw
from ltq_core.testing.walks.ending import end, leave, sizes_agree
from ltq_core.testing.walks.walk import CONNECTIONS, PromiseError, Walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ltq_core.broker import Broker
    from ltq_core.testing.lab import Lab
    from ltq_core.testing.walks.decks import Steps
    from ltq_core.testing.walks.walk import Step

LENGTH = 100
"""Steps of one walk: some ten of each kind that is frequent."""

SHORTENING = 6.0
"""Seconds for finding a shorter walk that fails in the same way."""

HASTE = 1.0
"""Seconds to wait for what must happen while a shorter walk is looked for. If that is too
few on a loaded machine, what is found is longer, or shows less well what was wrong."""

MOST = 40
"""Calls that a failure shows, the last ones."""


class Planned(NamedTuple):
    """A step, and the seed of what it draws."""

    step: Step
    seed: int


Plan = list[Planned]


async def go(lab: Lab, seeds: Iterable[int], *more: Steps) -> None:
    """Go a walk for each of *seeds*: the calls of every broker, and *more*.

    Raises:
        AssertionError: A promise was broken: names it, the seed, and the calls that led
            there.
    """
    steps = {step: weight for deck in (CALLS, *more) for step, weight in deck.items()}
    walks = Walks([await lab.connect() for _ in range(CONNECTIONS)], lab.patience)
    for seed in seeds:
        lot = f"{seed} of {sum(steps.values())}"  # classes with one seed go other ways
        draw = Draw(lot)
        chosen = draw.choices(list(steps), list(steps.values()), k=LENGTH)
        plan = [Planned(step, draw.getrandbits(32)) for step in chosen]
        if (failed := await walks.failure(lot, plan)) is not None:
            failed = await walks.shortened(lot, plan, failed)
            raise AssertionError(told(seed, failed)) from failed.__cause__


class Walks:
    """Walks with some connections to one store, each in queues of its own."""

    def __init__(self, connections: Sequence[Broker], patience: float) -> None:
        self._connections, self._patience = connections, patience
        self._numbers = itertools.count(1)

    async def failure(
        self, lot: str, plan: Plan, patience: float | None = None
    ) -> PromiseError | None:
        """How the walk of *plan* fails, if it does."""
        number = next(self._numbers)
        walk = Walk(self._connections, number, lot, patience or self._patience)
        try:
            await leave(walk)  # a walk before it may have failed
            walk.trace.clear()
            for step, its_seed in plan:
                walk.steps += 1
                await step(walk, Draw(its_seed))
                await sizes_agree(walk)
            await end(walk)
        except PromiseError as broken:
            broken.trace, broken.steps = walk.trace, walk.steps
            return broken
        return None

    async def shortened(self, lot: str, plan: Plan, failed: PromiseError) -> PromiseError:
        """The shortest failure of the same kind that is found soon."""
        over = time.monotonic() + SHORTENING
        plan, size = plan[: failed.steps], failed.steps // 2
        while size:
            before = len(plan)
            for start in range(len(plan) - size, -1, -size):
                if time.monotonic() > over:
                    return failed
                shorter = plan[:start] + plan[start + size :]
                again = await self.failure(lot, shorter, min(HASTE, self._patience))
                if again is not None and again.promise == failed.promise:
                    failed, plan = again, shorter
            size = size // 2 or int(len(plan) < before)
        return failed


def told(seed: int, failed: PromiseError) -> str:
    """What a person needs to know of a failure."""
    lines = failed.trace[-MOST:]
    if len(lines) < len(failed.trace):
        lines.insert(0, f"({len(failed.trace) - MOST} calls)")
    calls = "\n".join(f"  {line}" for line in lines)
    return (
        f"{failed}.\n"
        f"Seed {seed}: try it alone with seeds = [{seed}]. The shortest way to it that was "
        f"found, over the connections A, B and C:\n{calls}"
    )
