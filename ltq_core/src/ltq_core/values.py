"""What settings are made of: counts and durations."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

# Three centuries, in seconds. What is added to a date must not pass the year 9999.
LONGEST = 1e10


def seconds(delay: float | timedelta) -> float:
    """*delay* as seconds: a plain number, whatever came.

    Enums and other libraries' numbers, such as NumPy's, are kinds of ``int`` and ``float``,
    and a broker that writes down their ``repr`` stores no number.

    Raises:
        TypeError: It is something else.
    """
    if isinstance(delay, timedelta):
        return delay.total_seconds()
    if isinstance(delay, bool) or not isinstance(delay, int | float):
        raise TypeError(f"A delay is seconds or a timedelta, not {delay!r}.")
    return delay if type(delay) is int else float(delay)


def parse_count(value: Any) -> int:
    """The value of an option that is a whole number, at least 1.

    Raises:
        ValueError: It is none; the text reads on after the option's name.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"must be a whole number of at least 1, not {value!r}.")
    return value


def parse_duration(value: Any) -> float:
    """The value of an option that is more than 0 seconds, or such a ``timedelta``.

    It is at most `LONGEST`: a longer one is a mistake, or means none at all.

    Raises:
        ValueError: It is none; the text reads on after the option's name.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | timedelta):
        raise ValueError(f"must be seconds or a timedelta, not {value!r}.")
    duration = seconds(value)
    if not duration > 0:
        raise ValueError(f"must be more than 0 seconds, not {value!r}.")
    if duration > LONGEST:
        raise ValueError(f"must be at most {LONGEST:g} seconds, not {value!r}.")
    return duration
