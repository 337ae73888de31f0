"""Schedules against a table of change days, a brute-force walk, and cronsim."""

from __future__ import annotations

import re
import subprocess
import sys
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from datetime import timezone as fixed_offset
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

if TYPE_CHECKING:
    from collections.abc import Iterator

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)

INSTANTS = st.integers(0, 4_000_000_000).map(
    lambda seconds: datetime.fromtimestamp(seconds, UTC)
)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ticks(schedule: Schedule, after: datetime, count: int) -> list[datetime]:
    found: list[datetime] = []
    while len(found) < count:
        after = schedule.next(after)
        found.append(after)
    return found


def shown(instants: list[datetime]) -> list[str]:
    return [f"{each:%Y-%m-%d %H:%M:%S}".removesuffix(":00") for each in instants]


# Fields


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ("*/20 * * * *", ["2026-01-01 00:20", "2026-01-01 00:40", "2026-01-01 01:00"]),
        ("5/25 3 * * *", ["2026-01-01 03:05", "2026-01-01 03:30", "2026-01-01 03:55"]),
        ("59/15 3 * * *", ["2026-01-01 03:59", "2026-01-02 03:59"]),
        ("0 9-9 * * *", ["2026-01-01 09:00", "2026-01-02 09:00"]),
        ("0 22-1 * * *", ["2026-01-01 01:00", "2026-01-01 22:00", "2026-01-01 23:00"]),
        ("* * * * * */30", ["2026-01-01 00:00:30", "2026-01-01 00:01", "2026-01-01 00:01:30"]),
        ("0 0 * * * 15", ["2026-01-01 00:00:15", "2026-01-02 00:00:15"]),
        ("0 0 1 JAN,Mar *", ["2026-03-01 00:00", "2027-01-01 00:00"]),
        ("0 0 1 nov-feb/2 *", ["2026-11-01 00:00", "2027-01-01 00:00"]),
        ("0 0 * * mon", ["2026-01-05 00:00", "2026-01-12 00:00"]),
        ("0 0 * * 0", ["2026-01-04 00:00", "2026-01-11 00:00"]),
        ("0 0 * * 7", ["2026-01-04 00:00", "2026-01-11 00:00"]),
        ("0 0 * * 7-7", ["2026-01-04 00:00", "2026-01-11 00:00"]),
        ("0 0 * * 0-7", ["2026-01-02 00:00", "2026-01-03 00:00", "2026-01-04 00:00"]),
        ("0 0 * * sat-mon", ["2026-01-03 00:00", "2026-01-04 00:00", "2026-01-05 00:00"]),
        ("0 0 * * sat-wed/2", ["2026-01-03 00:00", "2026-01-05 00:00", "2026-01-07 00:00"]),
        ("0 0 * * 1-7/2", ["2026-01-02 00:00", "2026-01-04 00:00", "2026-01-05 00:00"]),
        ("0 0 * * fri-5", ["2026-01-02 00:00", "2026-01-09 00:00"]),
        ("0 0 L * *", ["2026-01-31 00:00", "2026-02-28 00:00", "2026-03-31 00:00"]),
        ("0 0 15,L 2 *", ["2026-02-15 00:00", "2026-02-28 00:00", "2027-02-15 00:00"]),
        ("0 0 * * mon#2", ["2026-01-12 00:00", "2026-02-09 00:00"]),
        ("0 0 * * 7#5", ["2026-03-29 00:00", "2026-05-31 00:00"]),
        ("0 0 * * thu,mon#2", ["2026-01-08 00:00", "2026-01-12 00:00", "2026-01-15 00:00"]),
        ("0 0 * * L5", ["2026-01-30 00:00", "2026-02-27 00:00"]),
        ("0 0 * * 5L", ["2026-01-30 00:00", "2026-02-27 00:00"]),
        ("0 0 ? * ?", ["2026-01-02 00:00", "2026-01-03 00:00"]),
        ("@hourly", ["2026-01-01 01:00", "2026-01-01 02:00"]),
        ("@daily", ["2026-01-02 00:00", "2026-01-03 00:00"]),
        ("@midnight", ["2026-01-02 00:00", "2026-01-03 00:00"]),
        ("@weekly", ["2026-01-04 00:00", "2026-01-11 00:00"]),
        ("@monthly", ["2026-02-01 00:00", "2026-03-01 00:00"]),
        ("@Yearly", ["2027-01-01 00:00", "2028-01-01 00:00"]),
        ("@annually", ["2027-01-01 00:00", "2028-01-01 00:00"]),
    ],
)
def test_fields_match_what_they_say(expr: str, expected: list[str]) -> None:
    found = ticks(Schedule(expr), instant("2026-01-01"), len(expected))

    assert shown(found) == expected


@pytest.mark.parametrize(
    ("expr", "days"),
    [
        ("0 0 13 * fri", [2, 9, 13, 16, 23, 30]),
        ("0 0 1-31 * fri", [2, 3, 4, 5, 6, 7]),
        ("0 0 L * fri#1", [2, 31]),
        ("0 0 31,30 feb fri", []),
    ],
)
def test_restricted_day_and_weekday_match_either(expr: str, days: list[int]) -> None:
    found = ticks(Schedule(expr), instant("2026-01-01"), 6)

    assert [each.day for each in found if (each.year, each.month) == (2026, 1)] == days


@pytest.mark.parametrize(
    ("expr", "days"),
    [
        ("0 0 */10 * thu", [1]),
        ("0 0 1-15 * */2", [1, 3, 4, 6, 8, 10, 11, 13, 15]),
        ("0 0 *,13 * thu", [1, 8, 15, 22, 29]),
        ("0 0 ? * thu", [1, 8, 15, 22, 29]),
    ],
)
def test_a_day_or_weekday_that_starts_with_a_star_must_match_too(
    expr: str, days: list[int]
) -> None:
    found = ticks(Schedule(expr), instant("2025-12-31 12:00"), 9)

    assert [each.day for each in found if (each.year, each.month) == (2026, 1)] == days


def test_a_leap_day_is_found_across_the_eight_years_around_2100() -> None:
    found = ticks(Schedule("0 0 29 2 *"), instant("2092-03-01"), 3)

    assert shown(found) == ["2096-02-29 00:00", "2104-02-29 00:00", "2108-02-29 00:00"]


def test_a_leap_day_on_a_sunday_is_found_across_forty_years() -> None:
    found = ticks(Schedule("0 0 29 2 */7"), instant("2088-01-01"), 2)

    assert shown(found) == ["2088-02-29 00:00", "2128-02-29 00:00"]


# The instant asked for


def test_next_is_strictly_later() -> None:
    assert Schedule("0 * * * *").next(instant("2026-01-01")) == instant("2026-01-01 01:00")


def test_next_is_exact_to_the_microsecond() -> None:
    tick = instant("2026-01-01 01:00")

    assert Schedule("0 * * * *").next(tick - timedelta(microseconds=1)) == tick
    assert Schedule("0 * * * *").next(tick + timedelta(microseconds=1)) == tick + 60 * MINUTE


def test_next_takes_any_time_zone_and_answers_in_utc() -> None:
    after = datetime(2026, 1, 1, 5, 29, 59, tzinfo=fixed_offset(timedelta(hours=5, minutes=30)))
    found = Schedule("0 0 * * *").next(after)

    assert found == instant("2026-01-01")
    assert found.tzinfo is UTC


def test_next_refuses_a_naive_datetime() -> None:
    with pytest.raises(OptionValueError, match="aware datetime, not the naive 2026-01-01"):
        Schedule("0 * * * *").next(datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
@pytest.mark.parametrize("expr", ["0 0 1 1 *", "* * * * *"])
def test_next_overflows_where_the_calendar_ends(expr: str, zone: str) -> None:
    with pytest.raises(OverflowError):
        Schedule(expr, zone).next(datetime.max.replace(tzinfo=UTC))


# Change days: the zone, the instant to start at, the expression, its ticks in UTC

CHANGE_DAYS = [
    # Europe/Berlin skips 02:00-03:00 on 29 March and repeats it on 25 October, at 01:00 UTC.
    ("Europe/Berlin", "2026-03-28 12:00", "30 2 * * *", ["29 01:00", "30 00:30", "31 00:30"]),
    ("Europe/Berlin", "2026-03-28 12:00", "*/20 2 * * *", ["30 00:00", "30 00:20", "30 00:40"]),
    ("Europe/Berlin", "2026-03-29 00:00", "30 * * * *", ["29 00:30", "29 01:30", "29 02:30"]),
    ("Europe/Berlin", "2026-03-28 12:00", "0,15,45 2 * * *", ["29 01:00", "30 00:00"]),
    (
        "Europe/Berlin",
        "2026-03-28 12:00",
        "0 1,2,3 * * *",
        ["29 00:00", "29 01:00", "29 23:00"],
    ),
    ("Europe/Berlin", "2026-03-28 12:00", "30 1-3 * * *", ["29 00:30", "29 01:00", "29 01:30"]),
    ("Europe/Berlin", "2026-03-28 12:00", "0 2 * * * */20", ["29 01:00", "30 00:00"]),
    ("Europe/Berlin", "2026-03-29 00:59:59.5", "30 2 * * *", ["29 01:00"]),
    ("Europe/Berlin", "2026-03-29 01:00", "30 2 * * *", ["30 00:30"]),
    ("Europe/Berlin", "2026-10-24 12:00", "30 2 * * *", ["25 00:30", "26 01:30", "27 01:30"]),
    ("Europe/Berlin", "2026-10-25 01:15", "30 2 * * *", ["26 01:30"]),
    ("Europe/Berlin", "2026-10-25 00:30", "30 2 * * *", ["26 01:30"]),
    ("Europe/Berlin", "2026-10-25 00:15", "0,30 2-3 * * *", ["25 00:30", "25 02:00"]),
    (
        "Europe/Berlin",
        "2026-10-24 12:00",
        "*/30 2 * * *",
        ["25 00:00", "25 00:30", "25 01:00", "25 01:30", "26 01:00"],
    ),
    ("Europe/Berlin", "2026-10-25 00:15", "30 * * * *", ["25 00:30", "25 01:30", "25 02:30"]),
    ("Europe/Berlin", "2026-10-25 00:15", "30 */2 * * *", ["25 00:30", "25 01:30", "25 03:30"]),
    ("Europe/Berlin", "2026-10-25 00:45", "*/30 2 25 10 *", ["25 01:00", "25 01:30"]),
    # America/New_York skips 02:00-03:00 on 8 March, repeats 01:00-02:00 on 1 November.
    ("America/New_York", "2026-03-07 12:00", "15 2 * * *", ["08 07:00", "09 06:15"]),
    ("America/New_York", "2026-10-31 12:00", "15 1 * * *", ["01 05:15", "02 06:15"]),
    (
        "America/New_York",
        "2026-11-01 05:00",
        "15 * * * *",
        ["01 05:15", "01 06:15", "01 07:15"],
    ),
    # Europe/Dublin counts winter as its saving time: it skips and repeats 01:00-02:00.
    ("Europe/Dublin", "2026-03-28 12:00", "30 1 * * *", ["29 01:00", "30 00:30"]),
    ("Europe/Dublin", "2026-10-24 12:00", "30 1 * * *", ["25 00:30", "26 01:30"]),
    ("Europe/Dublin", "2026-10-25 00:15", "30 * * * *", ["25 00:30", "25 01:30"]),
    # Australia/Lord_Howe skips 02:00-02:30 on 4 October, repeats 01:30-02:00 on 5 April.
    ("Australia/Lord_Howe", "2026-10-03 12:00", "15 2 * * *", ["03 15:30", "04 15:15"]),
    ("Australia/Lord_Howe", "2026-10-03 12:00", "30 2 * * *", ["03 15:30", "04 15:30"]),
    ("Australia/Lord_Howe", "2026-10-03 15:00", "15 * * * *", ["03 16:15", "03 17:15"]),
    ("Australia/Lord_Howe", "2026-04-04 12:00", "45 1 * * *", ["04 14:45", "05 15:15"]),
    ("Australia/Lord_Howe", "2026-04-04 15:05", "45 1 * * *", ["05 15:15"]),
    (
        "Australia/Lord_Howe",
        "2026-04-04 14:30",
        "45 * * * *",
        ["04 14:45", "04 15:15", "04 16:15"],
    ),
    # Antarctica/Troll changes by two hours, at 01:00 UTC.
    (
        "Antarctica/Troll",
        "2026-03-28 12:00",
        "0 1,2 * * *",
        ["29 01:00", "29 23:00", "30 00:00"],
    ),
    (
        "Antarctica/Troll",
        "2026-10-24 12:00",
        "30 1,2 * * *",
        ["24 23:30", "25 00:30", "26 01:30"],
    ),
    (
        "Antarctica/Troll",
        "2026-10-25 00:45",
        "*/30 1 * * *",
        ["25 01:00", "25 01:30", "26 01:00"],
    ),
    # Changes at midnight: America/Havana and Asia/Beirut skip 00:00-01:00; in autumn Havana
    # repeats 00:00-01:00 of the new day, Beirut 23:00-24:00 of the old one.
    ("America/Havana", "2026-03-07 12:00", "@daily", ["08 05:00", "09 04:00"]),
    ("America/Havana", "2026-10-31 12:00", "@daily", ["01 04:00", "02 05:00"]),
    ("America/Havana", "2026-11-01 04:30", "0 0 * * *", ["02 05:00"]),
    ("Asia/Beirut", "2026-03-28 12:00", "30 0 * * *", ["28 22:00", "29 21:30"]),
    ("Asia/Beirut", "2026-10-24 12:00", "30 23 * * *", ["24 20:30", "25 21:30"]),
    ("Asia/Beirut", "2026-10-24 12:00", "0 0 25 * *", ["24 22:00"]),
    ("America/Sao_Paulo", "2018-11-03 12:00", "@daily", ["04 03:00", "05 02:00"]),
    ("America/Sao_Paulo", "2019-02-16 12:00", "30 23 * * *", ["17 01:30", "18 02:30"]),
    # Africa/Casablanca goes back for Ramadan (15 February) and forward after it (22 March).
    ("Africa/Casablanca", "2026-02-14 12:00", "30 2 * * *", ["15 01:30", "16 02:30"]),
    ("Africa/Casablanca", "2026-03-21 12:00", "30 2 * * *", ["22 02:00", "23 01:30"]),
    # Pacific/Apia skipped the whole of 30 December 2011.
    ("Pacific/Apia", "2011-12-29 20:00", "0 9 * * *", ["30 10:00", "30 19:00", "31 19:00"]),
    ("Pacific/Apia", "2011-12-29 20:00", "0 9,17 30 12 *", ["30 10:00"]),
    ("Pacific/Apia", "2011-12-30 08:00", "0 * * * *", ["30 09:00", "30 10:00", "30 11:00"]),
    # Asia/Kathmandu skipped a quarter of an hour, 00:00-00:15, for good.
    (
        "Asia/Kathmandu",
        "1985-12-31 12:00",
        "5,10 0 * * *",
        ["31 18:30", "01 18:20", "01 18:25"],
    ),
]


@pytest.mark.parametrize(("zone", "after", "expr", "expected"), CHANGE_DAYS)
def test_change_days(zone: str, after: str, expr: str, expected: list[str]) -> None:
    found = ticks(Schedule(expr, zone), instant(after), len(expected))

    assert [f"{each:%d %H:%M}" for each in found] == expected


@pytest.mark.parametrize(
    ("expr", "expected"), [("30 2 * * *", "26 01:30"), ("*/30 * * * *", "25 01:30")]
)
def test_the_second_pass_is_told_from_the_first_by_the_fold_of_a_local_time(
    expr: str, expected: str
) -> None:
    after = datetime(2026, 10, 25, 2, 15, fold=1, tzinfo=ZoneInfo("Europe/Berlin"))
    found = Schedule(expr, "Europe/Berlin").next(after)

    assert f"{found:%d %H:%M}" == expected


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


# What is refused


@pytest.mark.parametrize(
    ("expr", "reason"),
    [
        ("", "must have five fields"),
        ("* * * *", "must have five fields"),
        ("* * * * * * 2030", "must have five fields"),
        ("@reboot", "or be a name such as @daily"),
        (
            "60 * * * *",
            "its minute field takes 0-59, and lists, ranges and steps of these, not '60'",
        ),
        ("* 24 * * *", "its hour field takes 0-23"),
        ("* * 0 * *", "its day of month field takes 1-31, L"),
        ("* * 32 * *", "its day of month field takes"),
        ("* * 15W * *", "not '15w'"),
        ("* * * 13 *", "its month field takes 1-12, jan-dec"),
        ("* * * mon *", "not 'mon'"),
        ("* * * * 8", "its weekday field takes 0-7, sun-sat"),
        ("* * * * mon#6", "not 'mon#6'"),
        ("* * * * L8", "not '8'"),
        ("* * * * L", "not 'l'"),
        ("* * * * * 60", "its second field takes 0-59"),
        ("L * * * *", "not 'l'"),
        ("? * * * *", "not '?'"),
        ("* * ?,1 * *", "not '?'"),
        ("*/0 * * * *", "not '*/0'"),
        ("*/x * * * *", "not '*/x'"),
        ("1,,2 * * * *", "not ''"),
        ("-5 * * * *", "not '-5'"),
        ("1-2-3 * * * *", "not '1-2-3'"),
        ("*-5 * * * *", "not '*-5'"),
        ("H * * * *", "not 'h'"),
        ("R(0-10) * * * *", "not"),
        ("\u0661 * * * *", "its minute field takes"),
    ],
)
def test_a_malformed_line_is_refused_with_the_field_and_what_it_takes(
    expr: str, reason: str
) -> None:
    with pytest.raises(
        OptionValueError, match=re.escape(f"The schedule {expr!r} is malformed")
    ) as caught:
        Schedule(expr)
    assert reason in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("expr", "zone"),
    [
        ("0 0 31 2 *", None),
        ("0 0 30,31 feb *", "Europe/Berlin"),
        ("0 0 31 4,6,9,11 *", None),
        ("0 0 30 2 */2", None),
        # Only in the hour that summer time skips, as 31 March on a Sunday is the change.
        ("*/10 2 31 3 */7", "Europe/Berlin"),
    ],
)
def test_a_line_that_can_never_fire_is_refused(expr: str, zone: str | None) -> None:
    with pytest.raises(OptionValueError, match=re.escape(f"{expr!r} can never fire in")):
        Schedule(expr, zone)


@pytest.mark.parametrize(
    "zone",
    ["Mars/Base", "", "Europe", "../etc/passwd", "/etc/localtime", "UTC+2", "a\0b", "zone.tab"],
)
def test_an_unknown_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(
        OptionValueError, match=re.escape(f"The time zone {zone!r} is unknown. ")
    ):
        Schedule("0 0 * * *", zone)


def test_a_misspelt_time_zone_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(OptionValueError, match=r"Did you mean 'Europe/Berlin'\?"):
        Schedule("0 0 * * *", "Europe/Berln")


# The value


def test_a_schedule_without_time_zone_is_in_utc() -> None:
    assert Schedule("0 0 * * *") == Schedule("0 0 * * *", "UTC") == Schedule("0 0 * * *", UTC)


def test_schedules_are_equal_by_line_and_zone() -> None:
    schedule = Schedule(" 0 9  * * * ", "Europe/Berlin")

    assert schedule == Schedule("0 9 * * *", ZoneInfo("Europe/Berlin"))
    assert hash(schedule) == hash(Schedule("0 9 * * *", "Europe/Berlin"))
    assert schedule != Schedule("0 9 * * *", "Europe/Paris")
    assert schedule != Schedule("0 8 * * *", "Europe/Berlin")
    assert schedule != "0 9 * * *"


def test_a_schedule_shows_how_it_was_made() -> None:
    assert repr(Schedule("0 9 * * *")) == "Schedule('0 9 * * *', 'UTC')"
    assert repr(Schedule("@daily", "Asia/Tokyo")) == "Schedule('@daily', 'Asia/Tokyo')"


def test_croniter_is_not_loaded_before_the_first_schedule() -> None:
    code = "import sys, ltq_core.scheduler.schedule; sys.exit('croniter' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
