"""Schedules on the days when clocks are put forward or back, against a table."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from ltq_core.scheduler.schedule import Schedule
from ticking import instant, ticks

# The zone, the instant to start at, the expression, its ticks in UTC

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
