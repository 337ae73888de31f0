"""Counts and durations, as settings give them."""

from __future__ import annotations

import re
from datetime import timedelta
from enum import IntEnum
from typing import Any

import pytest

from ltq_core.values import parse_count, parse_duration, seconds


class Wait(IntEnum):
    SHORT = 5


class Number(float):
    """A number of another library, whose ``repr`` is none."""

    def __repr__(self) -> str:
        return "library.Number(5.0)"


@pytest.mark.parametrize("delay", [5, 5.0, Wait.SHORT, Number(5), timedelta(seconds=5)])
def test_delay_is_a_plain_number_of_seconds(delay: Any):
    assert repr(seconds(delay)) in ("5", "5.0")


@pytest.mark.parametrize("delay", [True, "5", None])
def test_anything_else_is_no_delay(delay: Any):
    with pytest.raises(TypeError, match=f"A delay is seconds or a timedelta, not {delay!r}."):
        seconds(delay)


def test_count_is_a_whole_number_of_at_least_one():
    assert [parse_count(value) for value in (1, 1000)] == [1, 1000]


@pytest.mark.parametrize("value", [0, -1, 1.0, "1", True, None])
def test_anything_else_is_no_count(value: Any):
    text = f"must be a whole number of at least 1, not {value!r}."

    with pytest.raises(ValueError, match=re.escape(text)):
        parse_count(value)


@pytest.mark.parametrize("value", [90, 90.0, timedelta(minutes=1.5)])
def test_duration_is_seconds_or_a_timedelta(value: Any):
    assert parse_duration(value) == 90


@pytest.mark.parametrize("value", [0, -1, timedelta(0), float("nan")])
def test_duration_is_more_than_nothing(value: Any):
    with pytest.raises(ValueError, match="must be more than 0 seconds, not"):
        parse_duration(value)


@pytest.mark.parametrize("value", [1.1e10, 1e300, 10**400, float("inf"), timedelta.max])
def test_duration_reaches_no_date_that_is_none(value: Any):
    with pytest.raises(ValueError, match=r"must be at most 1e\+10 seconds, not"):
        parse_duration(value)


@pytest.mark.parametrize("value", ["90", True, None])
def test_anything_else_is_no_duration(value: Any):
    with pytest.raises(ValueError, match="must be seconds or a timedelta, not"):
        parse_duration(value)
