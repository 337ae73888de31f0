"""The rights that ``docs/redis.md`` gives to workers and producers."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "redis.md"


def acl_commands(*more: str) -> list[list[str]]:
    """Commands that make the users ``ltq-worker`` and ``ltq-producer``, with *more* rights.

    Their password is ``sesame``.
    """
    lines = re.findall(r"^ACL SETUSER .*$", PAGE.read_text(), re.MULTILINE)
    return [[*line.replace("PASSWORD", "sesame").split(), *more] for line in lines]
