"""Schedules: what a line says, what is refused, and which instant is next."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from datetime import timezone as fixed_offset
from zoneinfo import ZoneInfo

import pytest

from ltq_core.errors import OptionValueError
from ltq_core.scheduler.schedule import Schedule
from ticking import instant, ticks

HOUR = timedelta(hours=1)


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
    assert Schedule("0 * * * *").next(tick + timedelta(microseconds=1)) == tick + timedelta(
        hours=1
    )


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
