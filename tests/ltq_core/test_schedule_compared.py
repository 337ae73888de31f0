"""Schedules against a walk through every minute or second, and against cronsim."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, product
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim, CronSimError
from hypothesis import given, settings
from hypothesis import strategies as st

from ltq_core.errors import OptionValueError
from ltq_core.scheduler.schedule import Schedule
from ticking import instant, ticks

if TYPE_CHECKING:
    from collections.abc import Iterator

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)

INSTANTS = st.integers(0, 4_000_000_000).map(
    lambda seconds: datetime.fromtimestamp(seconds, UTC)
)


# Against a walk through every minute or second


def matching(text: str, low: int, high: int) -> set[int]:
    """What a field of plain numbers, ranges, lists and steps matches."""
    found: set[int] = set()
    for term in text.split(","):
        span, _, step = term.partition("/")
        first, _, last = (f"{low}-{high}" if span == "*" else span).partition("-")
        found.update(range(int(first), int(last or first) + 1, int(step or 1)))
    return found


@lru_cache(1)  # expressions take turns at one change
def readings(
    zone: str, now: datetime, end: datetime, step: timedelta
) -> list[tuple[datetime, datetime]]:
    """Each instant, and what a clock in *zone* shows then."""
    local, found = ZoneInfo(zone), []
    while now < end:
        found.append((now, now.astimezone(local).replace(tzinfo=None)))
        now += step
    return found


class Walk:
    """Every tick between two instants, found by looking at a clock all the way.

    The first instant must be further from a change than the change is wide.
    """

    def __init__(self, expr: str, zone: str, start: datetime, end: datetime) -> None:
        fields = expr.split()
        self.step = MINUTE if len(fields) == 5 else SECOND
        limits = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6), (0, 59)]
        self.fields = [
            matching(text, *limit) for text, limit in zip(fields, limits, strict=False)
        ]
        self.paced = fields[0].startswith("*") or fields[1].startswith("*")
        self.ticks = list(self._walk(readings(zone, start, end, self.step)))

    def first_after(self, after: datetime) -> datetime | None:
        index = bisect_right(self.ticks, after)
        return self.ticks[index] if index < len(self.ticks) else None

    def _walk(self, clock: list[tuple[datetime, datetime]]) -> Iterator[datetime]:
        shown_until = clock[0][1] - self.step
        for now, wall in clock:
            if self._matches(wall) if self.paced else self._passes(shown_until, wall):
                yield now
            shown_until = max(shown_until, wall)

    def _passes(self, shown_until: datetime, wall: datetime) -> bool:
        """Whether anything matches in what the clock shows or skips for the first time."""
        count = (wall - shown_until) // self.step
        return any(self._matches(wall - n * self.step) for n in range(count))

    def _matches(self, wall: datetime) -> bool:
        weekday = wall.isoweekday() % 7
        shown = (wall.minute, wall.hour, wall.day, wall.month, weekday, wall.second)
        return all(value in field for value, field in zip(shown, self.fields, strict=False))


CHANGES = [  # a zone and the instant of a change
    ("Europe/Berlin", "2026-03-29 01:00"),
    ("Europe/Berlin", "2026-10-25 01:00"),
    ("Europe/Dublin", "2026-10-25 01:00"),
    ("America/New_York", "2026-03-08 07:00"),
    ("America/New_York", "2026-11-01 06:00"),
    ("Australia/Lord_Howe", "2026-10-03 15:30"),
    ("Australia/Lord_Howe", "2026-04-04 15:00"),
    ("Antarctica/Troll", "2026-03-29 01:00"),
    ("Antarctica/Troll", "2026-10-25 01:00"),
    ("America/Havana", "2026-03-08 05:00"),
    ("America/Havana", "2026-11-01 05:00"),
    ("Asia/Beirut", "2026-10-24 21:00"),
    ("America/Sao_Paulo", "2018-11-04 03:00"),
    ("Africa/Casablanca", "2026-02-15 02:00"),
    ("Pacific/Chatham", "2026-04-04 14:00"),
    ("Pacific/Apia", "2011-12-30 10:00"),
    ("America/St_Johns", "2006-10-29 02:31"),
    ("Asia/Tehran", "2020-03-20 20:30"),
]


@pytest.mark.parametrize(
    "expr",
    [
        "* * * * *",
        "*/7 * * * *",
        "*/30 0-3 * * *",
        "45 * * * *",
        "15,45 */2 * * *",
        "5 1 * * *",
        "0,30 0,1,2,3,23 * * *",
        "0-59 1-2 * * *",
        "59 23 * * *",
        "0 0 * * 0",
    ],
)
@pytest.mark.parametrize(("zone", "change"), CHANGES)
def test_next_finds_the_tick_that_a_walk_of_the_clock_finds(
    expr: str, zone: str, change: str
) -> None:
    start, end = instant(change) - 30 * 60 * MINUTE, instant(change) + 30 * 60 * MINUTE
    walk = Walk(expr, zone, start, end)
    schedule = Schedule(expr, zone)

    # The step falls on the change itself, and in three hours on each eighth of an hour.
    for seconds in range(0, int((end - start).total_seconds()), 1350):
        after = start + seconds * SECOND
        if expected := walk.first_after(after):
            assert schedule.next(after) == expected, after


@pytest.mark.parametrize("expr", ["* * * * * */17", "30 1,2 * * * 5,10", "0 */2 * * * 59"])
@pytest.mark.parametrize(
    ("zone", "change"), [change for change in CHANGES if "Apia" not in change[0]][:8]
)
def test_seconds_follow_the_same_walk(expr: str, zone: str, change: str) -> None:
    start, end = instant(change) - 150 * MINUTE, instant(change) + 90 * MINUTE
    walk = Walk(expr, zone, start, end)

    expected = [tick for tick in walk.ticks if tick > start]
    assert expected
    assert ticks(Schedule(expr, zone), start, len(expected)) == expected


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(
        ["*/25 * * * *", "20 * * * *", "40 1 * * *", "10,50 0-2,23 * * *", "*/40 1 * * *"]
    ),
    st.sampled_from(sorted({zone for zone, _ in CHANGES})),
    INSTANTS,
)
def test_next_agrees_with_a_walk_from_anywhere(expr: str, zone: str, after: datetime) -> None:
    start = after.replace(second=0, microsecond=0) - 26 * 60 * MINUTE
    walk = Walk(expr, zone, start, after + 52 * 60 * MINUTE)

    assert Schedule(expr, zone).next(after) == walk.first_after(after)


# Against cronsim


def spans(low: int, high: int, step_from_one: bool = True) -> st.SearchStrategy[str]:
    """Single values, ranges and steps."""
    value = st.integers(low, high)
    pair = st.tuples(value, value).map(sorted)
    step = st.integers(1, high + 1)
    shapes = [
        value.map(str),
        pair.map(lambda ends: f"{ends[0]}-{ends[1]}"),
        # cronsim reads 5-5/2 as 5/2
        st.tuples(pair.filter(lambda ends: ends[0] < ends[1]), step).map(
            lambda drawn: f"{drawn[0][0]}-{drawn[0][1]}/{drawn[1]}"
        ),
        step.map(lambda step: f"*/{step}"),
    ]
    if step_from_one:
        shapes.append(st.tuples(value, step).map(lambda drawn: f"{drawn[0]}/{drawn[1]}"))
    return st.one_of(shapes)


def fields(*terms: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    listed = st.lists(st.one_of(terms), min_size=1, max_size=3).map(",".join)
    return st.one_of(st.just("*"), listed)


EXPRESSIONS = st.tuples(
    fields(spans(0, 59)),
    fields(spans(0, 23)),
    fields(spans(1, 31), st.just("L")),
    fields(spans(1, 12), st.sampled_from(["jan", "FEB", "Apr-Jun", "oct-dec/2"])),
    # cronsim counts 1/3 up to the second Sunday, 7; croniter and LTQ up to Saturday
    fields(
        spans(0, 7, step_from_one=False),
        st.sampled_from(["sun", "MON", "tue-Fri", "mon-5", "2#3", "Thu#5", "7#1", "6L", "0L"]),
    ),
).map(" ".join)


@settings(deadline=None, max_examples=150)
@given(
    EXPRESSIONS,
    INSTANTS,
)
def test_fields_mean_what_they_mean_to_cronsim(expr: str, after: datetime) -> None:
    try:
        expected = list(islice(CronSim(expr, after), 4))
    except CronSimError:
        expected = []

    if expected:
        assert ticks(Schedule(expr), after, len(expected)) == expected
    else:
        with pytest.raises(OptionValueError, match="can never fire"):
            Schedule(expr)


# cronsim loses a paced schedule where a change is at midnight or not of whole hours.
SIMULATED = [
    *product(["30 2 * * *", "59 23 * * *", "0,30 0 * * *", "5,50 1-3 * * *"], CHANGES),
    *product(["*/30 2 * * *", "15 */3 * * *", "20 * * * *"], CHANGES[:5]),
]


@pytest.mark.parametrize(("expr", "change"), SIMULATED)
def test_a_change_passes_as_in_cronsim_that_starts_before_it(
    expr: str, change: tuple[str, str]
) -> None:
    zone, start = change[0], instant(change[1]) - 30 * 60 * MINUTE
    simulated = islice(CronSim(expr, start.astimezone(ZoneInfo(zone))), 12)
    once = list(
        dict.fromkeys(tick.astimezone(UTC) for tick in simulated)
    )  # it repeats a gap's end

    assert ticks(Schedule(expr, zone), start, len(once)) == once
