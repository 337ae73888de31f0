"""What a task writes down of itself: a line at each start and end of a run.

A line is ``EVENT KEY PID SECONDS``, with the seconds on the monotonic clock that all
processes of a machine share. It is appended by one system call, so that lines of several
processes never mix, and what is written stays written when the process is killed.
"""

from __future__ import annotations

import itertools
import os
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ltq import RejectError, RetryError

if TYPE_CHECKING:
    from types import TracebackType

FOLDER = "LTQ_CHAOS_FOLDER"
"""The environment variable that names the folder of the log."""

LOG = "runs.log"


class Logged:
    """A run of the message *key*: notes ``start``, then ``done`` or what was raised.

    A retry is noted as ``retry``, a reject as ``reject``, anything else by its class.

    Args:
        key: What the sender called the message.
        steps: What the first, the second, … start is to do; the last one stands for
            all further ones.
    """

    def __init__(self, key: str, steps: list[str]) -> None:
        self.key = key
        self._steps = steps

    def __enter__(self) -> Self:
        note("start", self.key)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        note(_event(kind), self.key)

    @property
    def step(self) -> str:
        """What this start is to do; ask once."""
        if len(self._steps) == 1:
            return self._steps[0]
        return self._steps[min(_nth_start(self.key), len(self._steps) - 1)]


def note(event: str, key: str) -> None:
    """Append one line to the log."""
    line = f"{event} {key} {os.getpid()} {time.monotonic():.6f}\n"
    os.write(_log(), line.encode())


def _event(kind: type[BaseException] | None) -> str:
    if kind is None:
        return "done"
    return {RetryError: "retry", RejectError: "reject"}.get(kind, kind.__name__)


@cache
def _log() -> int:
    path = Path(os.environ[FOLDER]) / LOG
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)


def _nth_start(key: str) -> int:
    """How many starts of *key* there were before this one, in whatever process."""
    for n in itertools.count():
        try:
            os.close(os.open(Path(os.environ[FOLDER]) / f"{key}.{n}", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            continue
        return n
    raise AssertionError
