"""Counts what the tasks wrote down."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

ENDS = frozenset({"done", "reject"})
"""The events after which a message must not run again."""


class Line(NamedTuple):
    """One line of the log; see ``work/logbook.py``."""

    event: str
    key: str
    pid: int
    at: float


class Tally:
    """The log of one scenario, read as it grows.

    Attributes:
        lines: All of it so far.
    """

    def __init__(self, path: Path) -> None:
        path.touch()
        self._log = path.open("rb")
        self.lines: list[Line] = []
        self._starts: dict[str, list[Line]] = defaultdict(list)
        self._ends: dict[str, list[Line]] = defaultdict(list)

    def close(self) -> None:
        """Read no more."""
        self._log.close()

    def read(self) -> list[Line]:
        """Take in what was written since the last time; returns that."""
        new = []
        while (raw := self._log.readline()).endswith(b"\n"):
            event, key, pid, at = raw.decode().split()
            new.append(Line(event, key, int(pid), float(at)))
        self._log.seek(-len(raw), 1)  # a line that is not complete yet
        for line in new:
            if line.event == "start":
                self._starts[line.key].append(line)
            elif line.event in ENDS:
                self._ends[line.key].append(line)
        self.lines += new
        return new

    def starts(self, key: str) -> list[Line]:
        """The starts of *key* so far, as of now."""
        self.read()
        return self._starts[key]

    def started(self, keys: Iterable[str], times: int = 1) -> bool:
        """Whether each of *keys* was started at least *times* times."""
        self.read()
        return all(len(self._starts[key]) >= times for key in keys)

    def ended(self, keys: Iterable[str]) -> bool:
        """Whether each of *keys* has ended."""
        self.read()
        return all(self._ends[key] for key in keys)

    def count(self, event: str) -> int:
        """How many lines there are of *event*."""
        self.read()
        return sum(line.event == event for line in self.lines)

    def keys_of(self, event: str) -> set[str]:
        """The keys that have a line of *event*."""
        self.read()
        return {line.key for line in self.lines if line.event == event}

    def lost(self, keys: Collection[str]) -> list[str]:
        """Those of *keys* that never ended."""
        self.read()
        return sorted(key for key in keys if not self._ends[key])

    def doubled(self) -> list[str]:
        """The keys that ended more than once."""
        self.read()
        return sorted(key for key, lines in self._ends.items() if len(lines) > 1)

    def restarted(self) -> list[str]:
        """The keys that were started more than once."""
        self.read()
        return sorted(key for key, lines in self._starts.items() if len(lines) > 1)

    def first_start_after(self, moment: float, pid: int) -> float | None:
        """When process *pid* first started a message after *moment*."""
        self.read()
        at = (one.at for one in self.lines if one.event == "start" and one.pid == pid)
        return next((one for one in at if one > moment), None)
