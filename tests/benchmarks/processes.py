"""Child processes: started in a session of their own, always ended, by pid."""

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import psutil

T = TypeVar("T")

_GRACE = 5.0


class ProcessFailedError(Exception):
    """A child ended, or did not do in time what it was started for."""


class Process:
    """One child and all that it started."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self.started_at = time.time()
        self._log = log
        with log.open("wb") as output:
            try:
                self._process = psutil.Popen(
                    list(command),
                    env=dict(env),
                    cwd=log.parent,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise ProcessFailedError(f"could not start: {error}") from error

    def wait_for(self, ask: Callable[[], T], timeout: float) -> T:
        """Return what *ask* answers once that is true; fail when the child ends first."""
        deadline = time.monotonic() + timeout
        while not (answer := ask()):
            if self._process.poll() is not None:
                raise ProcessFailedError(
                    f"ended with {self._process.returncode}: {self._said()}"
                )
            if time.monotonic() > deadline:
                raise ProcessFailedError(f"nothing within {timeout:.0f} s: {self._said()}")
            time.sleep(0.01)
        return answer

    def output(self, timeout: float) -> str:
        """Wait for its end and return what it printed."""
        try:
            code = self._process.wait(timeout)
        except psutil.TimeoutExpired as error:
            raise ProcessFailedError(f"not done within {timeout:.0f} s") from error
        if code:
            raise ProcessFailedError(f"ended with {code}: {self._said()}")
        return self._log.read_text()

    def rss(self) -> int:
        """Bytes of memory that the child and its children hold."""
        return sum(process.memory_info().rss for process in self._tree())

    def cpu_seconds(self) -> float:
        """CPU time that the child and its children have used so far."""
        times = [process.cpu_times() for process in self._tree()]
        return sum(spent.user + spent.system for spent in times)

    def end(self) -> None:
        """Ask the child to stop; kill whatever is left of it after the grace time."""
        tree = self._tree()
        if self._process.poll() is None:
            self._process.terminate()
        _, left = psutil.wait_procs(tree, timeout=_GRACE)
        for process in left:
            process.kill()
        psutil.wait_procs(left, timeout=_GRACE)

    def _tree(self) -> list[psutil.Process]:
        try:
            return [self._process, *self._process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return [self._process]

    def _said(self) -> str:
        lines = self._log.read_text(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "said nothing")


@contextmanager
def running(command: Sequence[str], env: Mapping[str, str], log: Path) -> Iterator[Process]:
    """Run *command* for the length of the block; its output goes to *log*."""
    process = Process(command, env, log)
    try:
        yield process
    finally:
        process.end()
