"""Data for stdout: JSON for programs, columns for people and for ``grep``."""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import contextmanager, redirect_stdout, suppress
from typing import TYPE_CHECKING

from ltq_core.cli.table import columns, folded, folded_with_notes, wrapped
from ltq_core.cli.toolkit import click
from ltq_core.logger import CONTROL

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator, Sequence


@contextmanager
def prints_aside() -> Iterator[None]:
    """Send to stderr what plugins, brokers and the user's modules print.

    Stdout is for a command's own data, which another program may read.
    """
    replaced = sys.stdout is not sys.__stdout__  # as tests do; None where it is closed
    with redirect_stdout(sys.stderr) if replaced or sys.stdout is None else _descriptor_aside():
        yield


@contextmanager
def _descriptor_aside() -> Iterator[None]:
    # The descriptor, not `sys.stdout`: C code and child processes write to it directly. And
    # a module may wrap `sys.stdout.buffer`, which closes what it wrapped when it is dropped.
    stdout = sys.__stdout__
    assert stdout is not None
    stdout.flush()
    number = stdout.fileno()
    kept = os.dup(number)
    os.dup2(2, number)
    try:
        yield
    finally:
        for stream in (sys.stdout, stdout):  # the first may be a wrapper by now
            with suppress(ValueError):  # the second closed or detached
                stream.flush()
        os.dup2(kept, number)
        os.close(kept)


def print_json(data: object) -> None:
    """Print *data* as indented JSON."""
    # JSON itself escapes a part of the control characters alone, and a terminal obeys all.
    lines = json.dumps(data, indent=2, ensure_ascii=False).split("\n")
    click.echo("\n".join(CONTROL.sub(_escaped, line) for line in lines))


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found.group())[1:-1]


def print_table(rows: Sequence[Sequence[str]], *, note: bool = False) -> None:
    """Print *rows*, the first one their headings, in columns.

    Nothing is folded or cut where a program reads. On a terminal that is too narrow,
    cells are folded between words.

    Args:
        rows: The rows.
        note: Whether the last cell is a sentence, to stand below a row that is too long.
    """
    width = terminal_width()
    lines = columns(rows)
    if width is not None and max(map(len, lines)) > width:
        lines = folded_with_notes(rows, width) if note else folded(rows, width)
    click.echo("\n".join(lines))


def folded_text(text: str, indent: str) -> list[str]:
    """*text* in lines that fit a terminal, all but the first behind *indent*."""
    width = terminal_width()
    return [text] if width is None else wrapped(text, width, indent)


def terminal_width() -> int | None:
    """The columns of the terminal, or ``$COLUMNS``; None where a program reads.

    The variable alone says nothing: readline sets it for every child of its process.
    """
    terminal = sys.stdout is not None and sys.stdout.isatty()
    return shutil.get_terminal_size().columns if terminal else None
