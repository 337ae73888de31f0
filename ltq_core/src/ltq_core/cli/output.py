"""Data for stdout: JSON for programs, columns for people and for ``grep``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ltq_core.cli.toolkit import click

if TYPE_CHECKING:
    from collections.abc import Sequence


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
