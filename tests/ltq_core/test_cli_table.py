"""Rows as lines that fit a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from ltq_core.cli.output import print_table
from ltq_core.cli.table import columns, flat, folded, folded_with_notes, glued, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable

    from ltq_core.cli.table import Row

SCHEMES = "redis, rediss, redis+sentinel, rediss+sentinel, redis+cluster, unix"
ROWS = [("PLUGIN", "STATE", "SCHEMES"), ("memory", "ok", "memory"), ("redis", "ok", SCHEMES)]
ERROR = "Plugin 'redis' from ltq-redis 1.0 could not be loaded: No module named 'redis'."
NOTED = [("PLUGIN", "STATE", "ERROR"), ("memory", "ok", ""), ("redis", "broken", ERROR)]
LONG = "a-plugin-whose-name-alone-is-longer-than-a-line"


def test_columns_stand_below_each_other() -> None:
    assert columns([("A", "B"), ("long", "x")]) == ["A     B", "long  x"]


def test_cells_are_folded_between_words() -> None:
    assert folded(ROWS, 40) == [
        "PLUGIN  STATE  SCHEMES",
        "memory  ok     memory",
        "redis   ok     redis, rediss,",
        "               redis+sentinel,",
        "               rediss+sentinel,",
        "               redis+cluster, unix",
    ]


def test_note_stands_below_its_row() -> None:
    assert folded_with_notes(NOTED, 40) == [
        "PLUGIN  STATE",
        "memory  ok",
        "redis   broken",
        "    Plugin 'redis' from ltq-redis 1.0",
        "    could not be loaded: No module named",
        "    'redis'.",
    ]


def test_rows_whose_words_fit_into_no_columns_stand_cell_below_cell() -> None:
    assert folded([*ROWS, (LONG, "ok", "-")], 40) == [
        "PLUGIN   memory",
        "STATE    ok",
        "SCHEMES  memory",
        "",
        "PLUGIN   redis",
        "STATE    ok",
        "SCHEMES  redis, rediss, redis+sentinel,",
        "         rediss+sentinel, redis+cluster,",
        "         unix",
        "",
        "PLUGIN",
        f"         {LONG}",
        "STATE    ok",
    ]


@pytest.mark.parametrize("fold", [folded, folded_with_notes])
@pytest.mark.parametrize("rows", [ROWS, NOTED, [*NOTED, (LONG, "ok", "")]])
def test_words_stay_whole_whatever_the_width(
    fold: Callable[[list[Row], int], list[str]], rows: list[Row]
) -> None:
    words = {word for row in rows[1:] for cell in row for word in cell.split()}

    for width in range(1, 100):
        assert words <= set(" ".join(fold(rows, width)).split())


def test_row_is_broken_between_cells_before_it_is_broken_within_one() -> None:
    row = ("a task with spaces", "3 waiting", "at noon")

    assert wrapped(flat(row, 30), 30, "  ") == ["a task with spaces  3 waiting", "  at noon"]


def test_text_that_no_line_would_hold_is_not_glued() -> None:
    assert wrapped(glued("one two three", 7), 7) == ["one two", "three"]


def test_table_is_folded_on_a_narrow_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    print_table(NOTED, note=True)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_table(NOTED, note=True)

    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == columns(NOTED)
    assert lines[3:] == folded_with_notes(NOTED, 60)
