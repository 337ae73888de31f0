"""A virtual environment on top of this one, for packages that tests install."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path
from sysconfig import get_path

import pytest

LTQ = ("-c", "from ltq_core.cli import main; main()")
PIP = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation")


class Sandbox:
    """An environment that sees all that this one has; what it installs stays its own.

    Needs no network: dependencies and build backends are this environment's.
    """

    def __init__(self, root: Path) -> None:
        venv.create(root, symlinks=True)
        self.python = root / "bin" / "python"
        own = Path(self.run(Path(), "-c", "import site; print(site.getsitepackages()[0])"))
        outer = f"import site; site.addsitedir({get_path('purelib')!r})\n"
        (own / "outer.pth").write_text(outer)

    def install(self, folder: Path) -> None:
        """Install the package in *folder*, built as its wheel."""
        self.run(folder, *PIP, ".")

    def ltq(self, folder: Path, *args: str) -> str:
        """What ``ltq`` prints."""
        return self.run(folder, *LTQ, *args)

    def pytest(self, folder: Path, *args: str) -> str:
        """Run the tests in *folder*; they must pass."""
        return self.run(folder, "-m", "pytest", "-q", "-n=3", "-p", "no:cacheprovider", *args)

    def run(self, folder: Path, *args: str) -> str:
        """Run this environment's Python in *folder*; it must succeed. Its stdout."""
        command = [str(self.python), *args]
        ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if ended.returncode:
            pytest.fail(f"{args} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
        return ended.stdout.strip()


@pytest.fixture
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """An environment of the test's own."""
    return Sandbox(tmp_path_factory.mktemp("sandbox"))
