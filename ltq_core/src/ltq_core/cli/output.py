"""Data for stdout: JSON for programs, columns for people and for ``grep``."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

from ltq_core.cli.toolkit import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@contextmanager
def prints_aside() -> Iterator[None]:
    """Send to stderr what plugins, brokers and the user's modules print.

    Stdout is for a command's own data, which another program may read.
    """
    with redirect_stdout(sys.stderr):
        yield


def print_json(data: object) -> None:
    """Print *data* as indented JSON."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False))


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print *rows*, the first one their headings, in columns; nothing is wrapped or cut."""
    click.echo("\n".join(columns(rows)))


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """*rows* as lines whose cells stand below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = (
        [cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows
    )
    return ["  ".join(cells).rstrip() for cells in padded]
