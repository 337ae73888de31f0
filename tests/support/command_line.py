"""``ltq`` for tests: called in this process, or as a process of its own."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from textwrap import dedent
from typing import IO, TYPE_CHECKING, NamedTuple

import pytest

from ltq_core.cli.root import run_root
from ltq_core.testing import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

LTQ = Path(sys.executable).with_name("ltq")
PYTHON_M = (sys.executable, "-m", "ltq")

# Long enough for a machine that runs other tests at the same time: a process that starts,
# imports, and does what it has to.
PATIENCE = 60.0


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


def ltq(*args: str) -> Ended:
    """Run ``ltq`` in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = run_root(args)
        except SystemExit as end:
            code = int(end.code or 0)
    return Ended(code, out.getvalue(), err.getvalue())


class Running:
    """A process whose output is read as it comes.

    Attributes:
        out: What it has written to stdout so far.
        err: What it has written to stderr so far.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.out = self.err = ""
        self._readers = [
            threading.Thread(target=self._read, args=(stream, name), daemon=True)
            for stream, name in ((process.stdout, "out"), (process.stderr, "err"))
        ]
        for reader in self._readers:
            reader.start()

    def until(self, text: str) -> None:
        """Wait until *text* was written, to stdout or stderr."""
        over = self.process.poll
        wait_until(lambda: self._wrote(text) or over() is not None, PATIENCE, f"{text!r}")
        if over() is not None:
            self.ended()  # the last lines are still being read
        assert self._wrote(text), f"never wrote {text!r}, but {self.out!r} and {self.err!r}"

    def _wrote(self, text: str) -> bool:
        return text in self.out or text in self.err

    def write(self, text: str) -> None:
        """Write *text* to its stdin."""
        assert self.process.stdin is not None
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def ended(self) -> int:
        """Wait until it has ended and everything is read; its return code."""
        code = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        if self.process.stdin is not None:
            self.process.stdin.close()
        return code

    def stopped(self) -> int:
        """Send SIGTERM and wait; its return code."""
        self.signal(signal.SIGTERM)
        return self.ended()

    def kill(self) -> None:
        """End it, whatever it does."""
        self.process.kill()
        self.ended()

    def _read(self, stream: IO[str], name: str) -> None:
        with stream:
            for line in stream:
                setattr(self, name, getattr(self, name) + line)


class CommandLine:
    """A directory from which real ``ltq`` processes are started.

    Attributes:
        folder: The directory; what is written there can be imported.
        env: Added to the processes' environment.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env: dict[str, str] = {}
        self._running: list[Running] = []

    def write(self, module: str, source: str) -> None:
        """Write a module."""
        (self.folder / f"{module}.py").write_text(dedent(source))

    def start(self, *args: str, command: tuple[str, ...] = (str(LTQ),)) -> Running:
        """Start ``ltq`` with *args*."""
        process = subprocess.Popen(
            [*command, *args],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running = Running(process)
        self._running.append(running)
        return running

    def run(self, *args: str, command: tuple[str, ...] = (str(LTQ),)) -> Ended:
        """Run ``ltq`` with *args* to its end."""
        running = self.start(*args, command=command)
        code = running.ended()
        return Ended(code, running.out, running.err)

    def close(self) -> None:
        """End every process that still runs."""
        for running in self._running:
            running.kill()

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("LTQ_", "SENTRY_"))}
        return kept | {"PYTHONUNBUFFERED": "1"} | self.env


@pytest.fixture
def command_line(tmp_path: Path) -> Iterator[CommandLine]:
    """A directory for ``ltq`` processes, which end with the test."""
    command_line = CommandLine(tmp_path)
    yield command_line
    command_line.close()
