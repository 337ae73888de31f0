"""The benchmark's arithmetic: medians, ratios, and which side of a bound is good."""

import importlib
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def reach(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module that judges; the benchmark's folder is no package."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module("reach")


def test_ratio_is_taken_against_the_best_peer(reach: Any) -> None:
    verdict = _verdict(reach, "drain.rate", ltq=[10_000], saq=[900], huey=[1_000])

    assert verdict[-5:] == ["1,000", "10.0", ">=", "8", "yes"]


def test_median_of_the_rounds_counts(reach: Any) -> None:
    verdict = _verdict(reach, "idle.cpu_50", ltq=[0.1, 9.0, 0.3])

    assert verdict[-4:] == ["0.30", "<=", "0.5", "yes"]


def test_figure_above_an_upper_bound_is_missed(reach: Any) -> None:
    verdict = _verdict(reach, "memory.bytes", ltq=[261])

    assert verdict[-1] == "NO"


def test_synchronous_sends_are_not_compared_with_async_ones(reach: Any) -> None:
    verdict = _verdict(reach, "send.one_by_one", ltq=[6_000], huey=[9_000], saq=[4_000])

    assert "saq" in verdict


def _verdict(reach: Any, figure: str, **rounds: list[float]) -> list[str]:
    """The words of the only line that the table of the reach has for *figure*."""
    results = reach.Results()
    work, name = figure.split(".")
    for peer, values in rounds.items():
        for value in values:
            results.add(peer, work, {name: value})
    [_, line] = reach.reach_table(results).splitlines()
    return line.split()
