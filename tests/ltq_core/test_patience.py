"""Trying again while the broker is away."""

from __future__ import annotations

import asyncio

import pytest

from ltq_core.errors import LeaseLostError
from ltq_core.patience import LONGEST_PAUSE, patiently, pause


@pytest.mark.parametrize(("attempt", "longest"), [(0, 0.05), (1, 0.1), (4, 0.8)])
def test_pause_doubles_up_to_a_second(attempt: int, longest: float):
    pauses = [pause(attempt) for _ in range(100)]

    assert longest / 2 <= min(pauses) <= max(pauses) <= longest
    assert max(pause(10_000) for _ in range(100)) <= LONGEST_PAUSE


def test_other_errors_are_not_repeated():
    async def fails() -> None:
        raise LeaseLostError("gone")

    with pytest.raises(LeaseLostError):
        asyncio.run(patiently(fails, "It"))
