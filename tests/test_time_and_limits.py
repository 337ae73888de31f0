"""What ``docs/time-and-limits.md`` shows works as shown."""

from __future__ import annotations

import ast
import fnmatch
import inspect
import re
import shlex
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from command_line import CommandLine, command_line
from fenced import Command, blocks, commands
from ltq_core.dead_letter import REASONS
from ltq_core.limits.max_age import MaxAge
from ltq_core.limits.max_tries import MaxTries
from ltq_core.scheduler import Schedule
from ltq_core.testing import Harness, virtual_time
from ltq_core.worker.current import CurrentMessage
from ltq_core.worker.options import CORE_OPTIONS

if TYPE_CHECKING:
    from ltq_core.testing import Report

__all__ = ["command_line"]

PAGE = Path(__file__).parents[1] / "docs" / "time-and-limits.md"
MODULE = "".join(block.text for block in blocks(PAGE, "python") if not block.awaits)
SENDS = [block for block in blocks(PAGE, "python") if block.awaits]
BERLIN = ZoneInfo("Europe/Berlin")
CHANGES = datetime(2026, 3, 29, tzinfo=BERLIN), datetime(2026, 10, 25, tzinfo=BERLIN)


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The page's program."""
    module = ModuleType("shop")
    monkeypatch.setitem(sys.modules, "shop", module)
    exec(compile(MODULE, PAGE, "exec", dont_inherit=True), vars(module))
    return module


async def sent(shop: ModuleType, words: str) -> Report:
    """What becomes of the messages of the one block that contains *words*."""
    [block] = [block for block in SENDS if words in block.text]
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    with Harness(shop.worker) as run:
        made = eval(compile(block.text, PAGE, "exec", flags=flags), vars(shop))
        assert inspect.isawaitable(made)
        await made
        return await run.drain()


@virtual_time(start=datetime(2026, 10, 24, 12, tzinfo=UTC))
async def test_schedule_runs_as_it_is_shown(shop: ModuleType) -> None:
    with Harness(shop.worker, shop.scheduler) as run:
        report = await run.run_for(timedelta(days=2))

    assert [f"{one.args[0]} {one.started_at:%d %H:%M}" for one in report.runs] == [
        "stock 24 16:00",
        "party 24 18:00",
        "stock 25 00:00",
        "totals 25 00:30",
        "stock 25 08:00",
        "stock 25 16:00",
        "stock 26 00:00",
        "totals 26 01:30",
        "stock 26 08:00",
    ]


@virtual_time
async def test_failing_task_is_tried_as_it_says(
    shop: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    report = await sent(shop, "charge.send")

    assert [(*one.args, one.outcome, one.delay) for one in report.runs] == [
        ("ada", "retry", 10),
        ("", "dead", None),
        ("ada", "retry", 20),
        ("ada", "done", None),
    ]
    assert [letter.reason for letter in report.dead] == ["failed"]
    assert "ada is charged at attempt 3, after the bank is away" in capsys.readouterr().out


@virtual_time
async def test_limited_task_starts_as_it_says(shop: ModuleType) -> None:
    report = await sent(shop, "sync.send_many")

    first = report.runs[0].started_at
    for customer in ("ada", "joan"):
        starts = [
            ((one.started_at - first).total_seconds(), one.args[1])
            for one in report.runs
            if one.args[0] == customer
        ]
        assert [page for _, page in starts] == list(range(7))
        assert [at for at, _ in starts] == pytest.approx([0, 0, 0, 0.5, 1, 1.5, 2], abs=0.03)


@virtual_time
async def test_unique_message_stands_alone(
    shop: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    report = await sent(shop, "unique=")

    assert [one.id for one in report.runs] == [shop.first]
    assert capsys.readouterr().out == f"{shop.first} stands\n"


@virtual_time
async def test_arguments_arrive_or_are_refused(
    shop: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    report = await sent(shop, "book.send")

    assert report.outcomes == ["done"]
    *refused, arrived = capsys.readouterr().out.splitlines()
    assert len(refused) == 3
    assert all(line.startswith("Argument `note") for line in refused)
    assert arrived == "Seats (1, 2) on 2026-07-14, ['by', 'the', 'window']"


def rows(header: str) -> list[list[str]]:
    """The cells of the table whose header begins like this."""
    table = PAGE.read_text().partition(f"| {header} |")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()[2:]]


@pytest.mark.parametrize("row", rows("line"), ids=lambda row: row[0])
def test_line_fires_where_the_clocks_change_as_the_table_says(row: list[str]) -> None:
    line, kind, *days = row
    schedule = Schedule(line.strip("`"), "Europe/Berlin")

    assert kind == ("paced" if "*" in line.split()[0] + line.split()[1] else "fixed")
    for day, shown in zip(CHANGES, days, strict=True):
        assert (", ".join(fires(schedule, day)) or "never") == shown


def fires(schedule: Schedule, day: datetime) -> list[str]:
    """When *schedule* fires on *day*, as the table writes it."""
    found, tick = [], schedule.next(day - timedelta(seconds=1))
    while tick.astimezone(BERLIN).date() == day.date():
        found.append(f"{tick.astimezone(BERLIN):%H:%M %Z}")
        tick = schedule.next(tick)
    return found


def test_tables_name_all_options_and_reasons() -> None:
    options = re.findall(r"`(\w+)`", " ".join(cells[0] for cells in rows("option")))
    keys = {"rate_key", "concurrency_key"}

    assert {*options} == {*MaxTries.options, *MaxAge.options, *CORE_OPTIONS} - keys
    assert [cells[0].strip("`") for cells in rows("reason")] == list(REASONS)


def test_commands_show_what_is_shown(command_line: CommandLine, redis_store: str) -> None:
    command_line.env["LTQ_BROKER_URL"] = redis_store
    command_line.env["COLUMNS"] = "120"
    command_line.write("shop", MODULE)
    send = "import asyncio, shop; asyncio.run(shop.charge.send(''))"
    assert command_line.run("-c", send, command=(sys.executable,)).code == 0
    worker = command_line.start("run", "shop:worker")
    worker.until("failed for good")
    assert worker.stopped() == 0
    shown = commands(PAGE)

    assert len(shown) == 3
    for command in shown:
        check(command, command_line)


def check(command: Command, command_line: CommandLine) -> None:
    """Run *command*, and compare; spaces aside, and … for anything."""
    program, *args = shlex.split(command.line)
    assert program == "ltq", command.line
    done = command_line.run(*args)
    assert done.code == 0, done.err
    written = [" ".join(line.split()) for line in done.out.splitlines()]
    expected = [" ".join(line.split()).replace("…", "*") for line in command.shown if line]
    assert len(written) == len(expected), done.out
    for line, pattern in zip(written, expected, strict=True):
        assert fnmatch.fnmatchcase(line, pattern), done.out


def test_every_attribute_of_the_current_message_is_in_the_table():
    section = PAGE.read_text().partition("## Inside a run")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)

    documented = sorted(name for cell in cells for name in re.findall(r"`(\w+)`", cell))
    offered = {name for name in dir(CurrentMessage) if not name.startswith("_")}
    assert documented == sorted(offered - {"message"})
