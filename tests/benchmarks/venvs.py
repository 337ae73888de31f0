"""One virtual environment for each peer, made once and kept in a cache folder."""

import shutil
import subprocess
import sys
from pathlib import Path

from catalog import Peer


class InstallError(Exception):
    """A peer could not be installed."""


def environment(peer: Peer, cache: Path) -> Path:
    """Return the environment of *peer*, made anew when its pins or the Python changed."""
    folder = cache / peer.name.replace(" ", "-")
    made_of = folder / "made-of"
    wanted = _contents(peer.requirements)
    if not made_of.exists() or made_of.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        for command in _commands(folder, peer.requirements):
            _run(command)
        made_of.write_text(wanted)
    return folder


def version(peer: Peer, folder: Path) -> str:
    """Return the installed version of the library itself."""
    name = peer.requirements[0].partition("=")[0].partition("[")[0]
    if name == "-e":
        name = "ltq-core"
    code = f"import importlib.metadata as m; print(m.version({name!r}))"
    return _run([str(folder / "bin" / "python"), "-c", code]).strip()


def _contents(requirements: tuple[str, ...]) -> str:
    """All that decides what is in an environment, our own packages' settings included."""
    projects = (Path(requirement) / "pyproject.toml" for requirement in requirements)
    own = (project.read_text() for project in projects if project.exists())
    return "\n".join((sys.version, *requirements, *own))


def _commands(folder: Path, requirements: tuple[str, ...]) -> list[list[str]]:
    python = str(folder / "bin" / "python")
    if uv := shutil.which("uv"):
        return [
            [uv, "venv", "--python", sys.executable, str(folder)],
            [uv, "pip", "install", "--compile-bytecode", "--python", python, *requirements],
        ]
    return [
        [sys.executable, "-m", "venv", str(folder)],
        [python, "-m", "pip", "install", "--quiet", *requirements],
    ]


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InstallError(done.stderr.strip().splitlines()[-1])
    return done.stdout
