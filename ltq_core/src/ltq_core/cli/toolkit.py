"""click, dressed by rich-click where a person looks: on a terminal.

In a pipe or a log, plain text is easier to read and to search, and leaving rich out
halves the time of ``ltq --help``. Commands import `click` from here.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING or (sys.stdout and sys.stdout.isatty()):
    import rich_click as click
    from rich_click import RichGroup as Group
else:
    import click
    from click import Group

__all__ = ["Group", "click"]
