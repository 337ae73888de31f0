"""The fenced blocks of a Markdown page, for tests that run what a page shows."""

from __future__ import annotations

import ast
import inspect
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

_FENCE = re.compile(r'^```(\w*)(?: title="(.*?)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block.

    Attributes:
        line: The number of its first line of text.
        language: What stands behind the opening fence.
        title: The title there, or "".
        text: What is inside.
    """

    line: int
    language: str
    title: str
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


def blocks(page: Path, language: str | None = None) -> list[Block]:
    """The blocks of *page*, all or those in *language*."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(text.count("\n", 0, match.start(3)) + 1, *match.groups(default=""))
        for match in _FENCE.finditer(text)
        if language in (None, match[1])
    ]


def commands(page: Path) -> list[Command]:
    """The lines of *page* that start with ``$``, in ``console`` blocks."""
    found: list[Command] = []
    for block in blocks(page, "console"):
        for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            line, *shown = part.splitlines()
            found.append(Command(line, tuple(shown)))
    return found
