"""The one line that a scenario prints, and whether its promise held."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Names of keys shown of a count that is wrong.
SHOWN = 5


@dataclass
class Report:
    """What one scenario counted.

    Attributes:
        sent: Messages that the broker accepted.
        lost: Those that never ended.
        doubled: Those that ended more than once.
        left: Keys of Redis that nothing will remove.
        notes: Further figures, for the line.
        failures: What a promise forbids, and happened.
    """

    name: str
    promise: str
    sent: int = 0
    lost: Sequence[str] = ()
    doubled: Sequence[str] = ()
    left: Sequence[str] = ()
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def note(self, text: str) -> None:
        """Show *text* in the line."""
        self.notes.append(text)

    def expect(self, holds: object, failure: str) -> None:
        """Unless *holds*, the scenario fails by *failure*, and goes on."""
        if not holds:
            self.failures.append(failure)

    def within(self, seconds: float, limit: float, what: str) -> None:
        """Note how long *what* took, and expect no more than *limit* seconds."""
        self.note(f"{what} {seconds:.1f} s")
        self.expect(seconds <= limit, f"{what} took {seconds:.1f} s, more than {limit:g} s")

    def line(self) -> str:
        """The line."""
        counts = [
            f"{self.sent} sent",
            f"{len(self.lost)} lost",
            f"{len(self.doubled)} doubled",
            f"{len(self.left)} left behind",
        ]
        verdict = "FAILED" if self.failures else "ok"
        took = time.monotonic() - self.began
        figures = ", ".join([*counts, *self.notes])
        text = f"{self.promise} {self.name}: {figures} … {verdict} {took:.1f} s"
        return "; ".join([text, *self.failures])


def some(names: Sequence[str]) -> str:
    """A few of *names*, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
