"""``ltq schedule``: list and next."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from command_line import ltq

if TYPE_CHECKING:
    from pathlib import Path

JOBS = """
from datetime import UTC, datetime, timedelta
import ltq

worker = ltq.Worker("reports", broker_url="memory://")

@worker.task
async def send(kind: str = "daily") -> None: ...

scheduler = ltq.Scheduler("nowhere://")
scheduler.cron("30 2 * * *", send.message(), timezone="Europe/Berlin", name="nightly")
scheduler.every(timedelta(hours=12), send.message())
scheduler.at(datetime(2020, 1, 1, tzinfo=UTC), send.message("once"))
empty = ltq.Scheduler("memory://")
"""


@pytest.fixture(autouse=True)
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """``MODULE:SCHEDULER``, importable from the current directory."""
    module = f"jobs_of_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{module}.py").write_text(JOBS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return f"{module}:scheduler"


def test_list_has_a_line_for_each_job(target: str) -> None:
    lines = ltq("schedule", "list", target).out.splitlines()

    assert lines[0].split() == ["TASK", "RULE", "TIME", "ZONE", "NAME", "NEXT"]
    assert lines[1].startswith("reports:send  30 2 * * *")
    assert "  Europe/Berlin  nightly  " in lines[1]
    assert lines[3].endswith("  -              -        -")


@pytest.mark.parametrize("command", ["list", "next"])
def test_broker_url_is_taken_as_everywhere(target: str, command: str) -> None:
    ended = ltq("schedule", command, target, "--broker-url", "memory://")

    assert (ended.code, ended.err) == (0, "")


def test_list_as_json_tells_all_of_each_job(target: str) -> None:
    jobs = json.loads(ltq("schedule", "list", target, "--json").out)

    assert [job["kind"] for job in jobs] == ["cron", "every", "at"]
    assert jobs[0] | {"next": ""} == {
        "task": "reports:send",
        "kind": "cron",
        "rule": "30 2 * * *",
        "timezone": "Europe/Berlin",
        "name": "nightly",
        "identity": "nightly",
        "missed": "latest",
        "next": "",
    }
    assert datetime.fromisoformat(jobs[0]["next"]) > datetime.now(UTC)
    assert jobs[2]["next"] is None


def test_list_of_a_scheduler_without_jobs_says_so(target: str) -> None:
    ended = ltq("schedule", "list", target.replace(":scheduler", ":empty"))

    assert ended == (0, "", "The scheduler has no job.\n")


def test_next_shows_the_ticks_of_all_jobs_in_the_order_of_time(target: str) -> None:
    args = ("-n", "2", "--after", "2026-03-28T12:00:00+01:00")

    lines = ltq("schedule", "next", target, *args).out.splitlines()

    # On the 29th the clocks of Berlin skip 02:30: it runs at the gap's end, 01:00 UTC.
    assert [line[:23] for line in lines[1:]] == [
        "2026-03-28 12:00:00 UTC",
        "2026-03-29 00:00:00 UTC",
        "2026-03-29 01:00:00 UTC",
        "2026-03-30 00:30:00 UTC",
    ]


def test_next_as_json_is_a_list_of_ticks(target: str) -> None:
    args = ("-n", "1", "--after", "2019-12-31", "--json")

    ticks = json.loads(ltq("schedule", "next", target, *args).out)

    assert [(tick["tick"], tick["kind"]) for tick in ticks] == [
        ("2019-12-31T01:30:00+00:00", "cron"),
        ("2019-12-31T12:00:00+00:00", "every"),
        ("2020-01-01T00:00:00+00:00", "at"),
    ]


def test_next_shows_five_ticks_of_each_job_from_now_on(target: str) -> None:
    ticks = json.loads(ltq("schedule", "next", target, "--json").out)

    assert [tick["kind"] for tick in ticks].count("every") == 5
    first = datetime.fromisoformat(ticks[0]["tick"])
    assert timedelta(0) < first - datetime.now(UTC) <= timedelta(hours=12)


def test_next_at_the_end_of_the_calendar_shows_what_is_left(target: str) -> None:
    ended = ltq("schedule", "next", target, "--after", "9999-12-31T20:00:00")

    assert ended == (0, "", "Nothing comes after that.\n")


def test_after_that_is_no_instant_is_a_mistake(target: str) -> None:
    ended = ltq("schedule", "next", target, "--after", "tomorrow")

    assert ended.code == 2
    assert "'tomorrow' is no date and time like '2026-03-29T01:30:00+01:00'." in ended.err


def test_target_must_be_a_scheduler(target: str) -> None:
    ended = ltq("schedule", "list", target.replace(":scheduler", ":worker"))

    assert ended.code == 2
    assert "is a Worker, not a scheduler. Did you mean" in ended.err
