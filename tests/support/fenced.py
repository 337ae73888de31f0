"""The fenced blocks of a Markdown page, for tests that run what a page shows."""

from __future__ import annotations

import ast
import inspect
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block.

    Attributes:
        language: What stands behind the opening fence.
        line: The number of its first line of text.
        text: What is inside.
    """

    language: str
    line: int
    text: str

    @property
    def awaits(self) -> bool:
        """Whether it is Python with an ``await`` outside of functions."""
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile(self.text, "block", "exec", flags=flags, dont_inherit=True)
        return bool(code.co_flags & inspect.CO_COROUTINE)


class Command(NamedTuple):
    """A command of a ``console`` block, and what the page shows below it."""

    line: str
    shown: tuple[str, ...]


def blocks(page: Path, language: str) -> list[Block]:
    """The blocks of *page* in *language*."""
    text = page.read_text()
    found = (
        Block(match[1], text.count("\n", 0, match.start(2)) + 1, match[2])
        for match in _FENCE.finditer(text)
    )
    return [block for block in found if block.language == language]


def commands(page: Path) -> list[Command]:
    """The lines of *page* that start with ``$``, in ``console`` blocks."""
    found: list[Command] = []
    for block in blocks(page, "console"):
        for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            line, *shown = part.splitlines()
            found.append(Command(line, tuple(shown)))
    return found
