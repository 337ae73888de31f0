"""The kit's programs: processes of their own, to be told things, frozen and killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ltq_core.testing.watching import off_loop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ltq_core.testing.lab import Lab

START = 10.0
"""Seconds that a process may take to start on a loaded machine."""


class Program:
    """A module of the kit that runs as a process, and talks in lines."""

    def __init__(self, lab: Lab, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self._lab = lab
        self._stdin, self._stdout = process.stdin, process.stdout

    def tell(self, word: str) -> None:
        """Write *word*."""
        print(word, file=self._stdin, flush=True)

    async def hear(self, expected: str) -> None:
        """Wait for the line *expected*; fails if another one comes, or none."""
        reading = off_loop(self._stdout.readline)
        line = await self._lab.soon(reading, "the other process", START + self._lab.patience)
        assert line.strip() == expected

    def hear_into(self, lines: list[str]) -> None:
        """Add each line to *lines*, until the process ends."""
        lines.extend(map(str.strip, self._stdout))

    async def killed(self) -> list[str]:
        """End it by SIGKILL; what it wrote before and nobody heard."""
        self.process.kill()
        lines: list[str] = []
        await off_loop(lambda: self.hear_into(lines))
        assert self.process.wait() == -signal.SIGKILL, "it failed before it was killed"
        return lines

    async def ended(self) -> None:
        """Wait for its end; fails if that is no success."""
        ending = off_loop(self.process.wait)
        assert await self._lab.soon(ending, "the other process's end") == 0


@contextmanager
def program(lab: Lab, module: str, *args: str) -> Iterator[Program]:
    """The program in *module* of the kit, killed in the end."""
    command = [sys.executable, "-m", f"ltq_core.testing.{module}", *args]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield Program(lab, process)
        finally:
            process.kill()
