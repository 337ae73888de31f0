"""The README's example does what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "ltq_memory" / "README.md"


def test_example_greets() -> None:
    """A producer and a worker work together in one process."""
    [code] = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    command = [sys.executable, "-u", "-c", code]

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.kill()

    assert line == "Hello, world!\n"
