"""One peer on one Redis: its producers and its workers."""

import itertools
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog import Peer
from processes import Process, running
from server import Server

_HERE = Path(__file__).resolve().parent
_TIMEOUT = 300.0
_serial = itertools.count(1)


@dataclass(frozen=True)
class Run:
    """A running worker and what its tasks report."""

    process: Process
    report: Path

    def wait_for(self, fact: str, timeout: float = 30) -> dict[str, Any]:
        """Wait for the line of the report that holds *fact*."""
        return self.process.wait_for(lambda: self._line_with(fact), timeout)

    def _line_with(self, fact: str) -> dict[str, Any]:
        text = self.report.read_text() if self.report.exists() else ""
        whole_lines = text[: text.rfind("\n") + 1].splitlines()
        return next((line for line in map(json.loads, whole_lines) if fact in line), {})


@dataclass(frozen=True)
class Stage:
    """Where one peer plays: its environment, the server, a folder for logs and reports."""

    peer: Peer
    environment: Path
    server: Server
    scratch: Path

    def produce(self, work: str, task: str, count: int, **settings: object) -> dict[str, float]:
        """Run one producer to its end and return its rates."""
        command = ("python", "-m", "produce", self.peer.adapter, work, task, str(count))
        report = self._file("report")
        env = self._env(BENCH_REPORT=report, **settings)
        with running(self._command(command), env, self._file("log")) as process:
            process.output(_TIMEOUT)
        return dict(json.loads(report.read_text()))

    @contextmanager
    def filled(self, task: str, count: int) -> Iterator[Run]:
        """Queue *count* messages, then run a worker that reports when they are done."""
        if not self.peer.is_baseline:
            self.produce("fill", task, count)
        with self.worker(count, BENCH_TASK=task) as run:
            yield run

    def run(self, *code: str) -> str:
        """Run Python in the peer's environment and return what it printed."""
        with running(
            self._command(("python", *code)), self._env(), self._file("log")
        ) as process:
            return process.output(_TIMEOUT)

    @contextmanager
    def worker(self, expected: int, **settings: object) -> Iterator[Run]:
        """Run one worker for the length of the block.

        Args:
            expected: After how many runs its tasks report that they are done.
            settings: More of `peers.settings`, by the names of its variables.
        """
        report = self._file("report")
        env = self._env(BENCH_EXPECTED=expected, BENCH_REPORT=report, **settings)
        with running(self._command(self.peer.worker), env, self._file("log")) as process:
            yield Run(process, report)

    def _command(self, command: tuple[str, ...]) -> list[str]:
        program, *arguments = command
        filled = [argument.format(url=self.server.url) for argument in arguments]
        return [str(self.environment / "bin" / program), *filled]

    def _env(self, **settings: object) -> dict[str, str]:
        settings["BENCH_REDIS_URL"] = self.server.url
        if self.peer.uvloop:
            settings["BENCH_UVLOOP"] = 1
        return {
            "HOME": os.environ.get("HOME", ""),
            "PATH": f"{self.environment / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(_HERE),
            **{name: str(value) for name, value in settings.items()},
        }

    def _file(self, suffix: str) -> Path:
        name = self.peer.name.replace(" ", "-")
        return self.scratch / f"{next(_serial):04d}-{name}.{suffix}"
