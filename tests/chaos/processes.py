"""Real ``ltq run`` processes, and a keeper that starts them again."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

from waiting import PAUSE, until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

WORK = Path(__file__).parent / "work"
"""Where the tasks are: the current directory of every process."""

LTQ = Path(sys.executable).with_name("ltq")

# What a clean end may take beyond the grace time, in seconds.
MARGIN = 4.0


class Process:
    """One process of the scenario; what it prints goes to a file.

    Attributes:
        may_end: Whether it was told to end, or killed, from here, or is *mortal*.
        log: What it printed.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        log: Path,
        environment: Mapping[str, str],
        *,
        mortal: bool = False,
    ) -> None:
        self.log = log
        self.may_end = mortal
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                cwd=WORK,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    @property
    def pid(self) -> int:
        """Its id."""
        return self._process.pid

    @property
    def code(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    def printed(self, words: str) -> bool:
        """Whether it has printed *words*."""
        return words in self.log.read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.may_end |= number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)
        self._process.send_signal(number)

    def kill(self) -> None:
        """``kill -9``."""
        self.signal(signal.SIGKILL)
        self._process.wait()

    async def ended(self, timeout: float) -> int:
        """Wait for its end; the exit code.

        Raises:
            StuckError: It goes on for *timeout* seconds.
        """
        await until(lambda: self.code is not None, timeout, f"process {self.pid} ends")
        code = self.code
        assert code is not None
        return code

    async def stop(self, grace: float = 25.0) -> int:
        """SIGTERM, and wait for the end; the exit code.

        Raises:
            StuckError: It did not end in time.
        """
        if self.code is None:
            self.signal(signal.SIGTERM)
        return await self.ended(grace + MARGIN)


class Keeper:
    """Keeps processes running: one that ends is started again, whatever ended it.

    Args:
        start: Starts one.
        size: How many there are to be.
    """

    def __init__(self, start: Callable[[], Process], size: int) -> None:
        self._start = start
        self._size = size
        self._living: list[Process] = []
        self._task: asyncio.Task[None] | None = None
        self.restarts = 0

    async def __aenter__(self) -> Self:
        self._living = [self._start() for _ in range(self._size)]
        self._task = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    @property
    def living(self) -> list[Process]:
        """Those that run now."""
        return [process for process in self._living if process.code is None]

    async def _keep(self) -> None:
        while True:
            for place, process in enumerate(self._living):
                if process.code is not None:
                    self._living[place] = self._start()
                    self.restarts += 1
            await asyncio.sleep(PAUSE)
