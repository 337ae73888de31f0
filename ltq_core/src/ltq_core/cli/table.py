"""Rows as lines that fit a terminal; words stay whole, so that they can be copied."""

from __future__ import annotations

import textwrap
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    Row = Sequence[str]

_GAP = "  "  # between columns
_INDENT = "    "  # before a note
_EMPTY = ("", "-")
_GLUE = "\u00a0"  # a space at which no line is broken


def columns(rows: Sequence[Row]) -> list[str]:
    """*rows* as lines whose cells stand below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [_line(row, widths) for row in rows]


def folded(rows: Sequence[Row], width: int) -> list[str]:
    """*rows*, the first one their headings, in *width* columns.

    Cells are folded between words; what does not fit even so stands cell below cell.
    """
    widths = _narrowed(rows, width)
    if _sum(widths) > width:
        return _stacked(rows, width)
    return [line for row in rows for line in _cells(row, widths)]


def folded_with_notes(rows: Sequence[Row], width: int) -> list[str]:
    """As `folded`; the last cell of each row but the headings' stands below it."""
    widths = _narrowed([row[:-1] for row in rows], width)
    if _sum(widths) > width:
        return _stacked(rows, width)
    lines = _cells(rows[0][:-1], widths)
    for *cells, note in rows[1:]:
        lines += _cells(cells, widths)
        lines += wrapped(f"{_INDENT}{note}", width, _INDENT) if note else []
    return lines


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """*text* in lines of *width* columns, all but the first behind *indent*.

    A word that is longer stands on a line of its own.
    """
    lines = textwrap.wrap(
        text,
        width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_GLUE, " ") for line in lines] or [""]


def glued(text: str, width: int) -> str:
    """*text* as one word for `wrapped`, unless no line of *width* columns would hold it."""
    return text.replace(" ", _GLUE) if len(text) <= width else text


def flat(row: Row, width: int) -> str:
    """*row* for `wrapped`, to be broken between cells before it is broken within one."""
    return _GAP.join(glued(cell, width - len(_GAP)) for cell in row)


def _line(cells: Row, widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return _GAP.join(padded).rstrip()


def _cells(row: Row, widths: Sequence[int]) -> list[str]:
    cells = [wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
    return [_line(line, widths) for line in zip_longest(*cells, fillvalue="")]


def _stacked(rows: Sequence[Row], width: int) -> list[str]:
    """A line for each cell, behind its heading; what is empty is left out."""
    headings, *others = rows
    label = max(map(len, headings)) + len(_GAP)
    blocks = [
        [
            line
            for heading, cell in zip(headings, row, strict=True)
            if cell not in _EMPTY
            for line in wrapped(heading.ljust(label) + cell, width, " " * label)
        ]
        for row in others
    ]
    return "\n\n".join("\n".join(block) for block in blocks).split("\n")


def _narrowed(rows: Sequence[Row], width: int) -> list[int]:
    """Widths of columns that fit, as nearly as whole words allow."""
    table = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in table]
    least = [max(len(word) for cell in column for word in cell.split()) for column in table]
    while _sum(widths) > width:
        foldable = [place for place, least_one in enumerate(least) if widths[place] > least_one]
        if not foldable:
            break
        widths[max(foldable, key=widths.__getitem__)] -= 1
    return widths


def _sum(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)
