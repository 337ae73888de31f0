"""The README's example, with real processes."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ltq_core.testing import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

README = Path(__file__).parents[1] / "README.md"
LTQ = (sys.executable, "-m", "ltq")
ALL = {f"letter {number}" for number in range(500)}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts a process beside ``letters.py``; what it prints is appended to ``out``."""
    match = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert match is not None
    (tmp_path / "letters.py").write_text(match[1])
    with ExitStack() as exits:

        def start(*command: str) -> subprocess.Popen[bytes]:
            out = exits.enter_context((tmp_path / "out").open("ab"))
            process = subprocess.Popen(command, cwd=tmp_path, stdout=out)
            exits.callback(process.wait)
            exits.callback(process.kill)
            return process

        yield start


def test_killed_worker_loses_nothing(
    start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    def written() -> list[str]:
        return (tmp_path / "out").read_text().splitlines()

    run = (*LTQ, "run", "letters:worker", "--broker-url", "sqlite:///./letters.db?lease=1")
    first = start(*run)
    assert start(sys.executable, "letters.py").wait(30) == 0
    wait_until(lambda: len(written()) > 50, 30, "the first worker writes letters")
    first.kill()
    first.wait()
    before = len(set(written()))
    second = start(*run)
    wait_until(lambda: set(written()) == ALL, 60, "every letter is written")
    second.send_signal(signal.SIGTERM)

    assert 50 < before < 500
    assert second.wait(30) == 0
    # Only what was running or not yet settled when the worker was killed ran twice.
    assert len(written()) <= 500 + 2 * 10
