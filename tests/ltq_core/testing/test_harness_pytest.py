"""The pytest plugin, and the guide: each of its blocks is a file of one little project."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fenced import blocks

GUIDE = Path(__file__).parents[3] / "docs" / "testing.md"


def run_pytest(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, *options], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The guide's blocks, each in the file that its first line names."""
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    for block in blocks(GUIDE, "python"):
        name, _, text = block.text.partition("\n")
        (tmp_path / name.removeprefix("# ")).write_text(text)
    return tmp_path


def test_guide_is_right(project: Path) -> None:
    done = run_pytest(project)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout


def test_each_test_file_of_the_guide_is_run(project: Path) -> None:
    listed = run_pytest(project, "--collect-only").stdout

    files = [path.name for path in project.glob("test_*.py")]
    assert len(files) == 5
    assert [name for name in files if name not in listed] == []


def test_plugin_loads_nothing_that_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "test_probe.py").write_text(
        "import sys\n\n"
        "def test_probe():\n"
        "    loaded = {name for name in sys.modules if name.startswith('ltq')}\n"
        "    assert loaded == {'ltq_core', 'ltq_core.lazy', 'ltq_core.testing',\n"
        "                      'ltq_core.testing.pytest_plugin'}\n"
    )

    done = run_pytest(tmp_path)

    assert done.returncode == 0, done.stdout


def test_fault_that_never_happened_fails_a_test_with_the_fixture(tmp_path: Path) -> None:
    (tmp_path / "test_fault.py").write_text(
        "def test_fault(ltq_harness):\n    ltq_harness().faults.lose_ack('mail:send')\n"
    )

    done = run_pytest(tmp_path)

    assert done.returncode == 1
    assert "These faults never happened: lose_ack(mail:send), 1 more." in done.stdout
