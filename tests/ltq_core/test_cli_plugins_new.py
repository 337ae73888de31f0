"""``ltq plugins new``: a complete package, which passes its own tests."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import tomllib
import venv
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from ltq_core.cli.plugins import plugins
from ltq_core.cli.plugins.new import KINDS
from ltq_core.errors import ConfigurationError
from ltq_core.message import Message
from ltq_core.testing import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

CORE = Path(__file__).parents[2] / "ltq_core"

COMMON = {
    "README.md",
    "pyproject.toml",
    "src/ltq_nats/__init__.py",
    "src/ltq_nats/plugin.py",
    "src/ltq_nats/py.typed",
    "tests/test_plugin.py",
}
FILES = {
    "broker": {"src/ltq_nats/broker.py", "src/ltq_nats/store.py", "tests/test_broker.py"},
    "middleware": {"src/ltq_nats/middleware.py", "tests/test_middleware.py"},
    "command": {"src/ltq_nats/command.py", "tests/test_command.py"},
}


def new(directory: Path, *args: str) -> Result:
    return CliRunner().invoke(
        plugins, ["new", "--directory", str(directory), *args], catch_exceptions=False
    )


@pytest.mark.parametrize("kind", KINDS)
def test_package_is_complete(tmp_path: Path, kind: str) -> None:
    result = new(tmp_path, "ltq-nats", "--kind", kind)

    folder = tmp_path / "ltq-nats"
    written = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    assert written == COMMON | FILES[kind]
    assert result.stdout == f"{folder}\n"


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_to_fill_in(tmp_path: Path, kind: str) -> None:
    new(tmp_path, "ltq-nats", "--kind", kind)

    for file in filter(Path.is_file, tmp_path.rglob("*")):
        assert "$" not in file.read_text(), file
        if file.suffix == ".py":
            compile(file.read_text(), file, "exec")


def test_package_is_a_broker_unless_told_otherwise(tmp_path: Path) -> None:
    new(tmp_path, "ltq-nats")

    assert (tmp_path / "ltq-nats/src/ltq_nats/broker.py").exists()


def test_package_declares_its_plugin_and_the_core_it_was_written_for(tmp_path: Path) -> None:
    new(tmp_path, "LTQ_Big.Data")

    text = (tmp_path / "ltq-big-data/pyproject.toml").read_text()
    project = tomllib.loads(text)["project"]
    assert project["name"] == "ltq-big-data"
    assert project["dependencies"] == ["ltq-core>=0.1,<0.2"]
    assert project["entry-points"]["ltq"] == {"big-data": "ltq_big_data.plugin"}


def test_package_of_a_bare_name_shadows_no_library(tmp_path: Path) -> None:
    result = new(tmp_path, "nats")

    assert result.stdout == f"{tmp_path / 'ltq-nats'}\n"
    text = (tmp_path / "ltq-nats/pyproject.toml").read_text()
    assert tomllib.loads(text)["project"]["entry-points"]["ltq"] == {"nats": "ltq_nats.plugin"}
    assert [one.name for one in (tmp_path / "ltq-nats/src").iterdir()] == ["ltq_nats"]


def test_folder_that_exists_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "ltq-nats").mkdir()

    with pytest.raises(ConfigurationError, match="exists already"):
        new(tmp_path, "ltq-nats")
    assert list((tmp_path / "ltq-nats").iterdir()) == []


@pytest.mark.parametrize(
    "name", ["", "ltq-", "-", "3d", "a/b", "ltq-ä", "class", "ltq-class", "../evil"]
)
def test_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="Choose one like ltq-nats"):
        new(tmp_path, "--", name)


@pytest.mark.parametrize("name", ["ltq", "ltq-core", "LTQ_Redis", "limits", "run"])
def test_name_that_is_taken_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="is taken"):
        new(tmp_path, name)


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A scaffolded broker, as it is before anybody touched it."""
    new(tmp_path, "ltq-raw")
    monkeypatch.syspath_prepend(str(tmp_path / "ltq-raw/src"))
    broker = import_module("ltq_raw.broker").RawBroker("raw://")
    yield broker
    asyncio.run(broker.close())
    for name in [name for name in sys.modules if name.startswith("ltq_raw")]:
        del sys.modules[name]


def lease_threads() -> set[threading.Thread]:
    return {one for one in threading.enumerate() if one.name == "ltq-lease"}


def test_scaffolded_broker_has_one_lease_thread_however_many_loops_it_served(
    broker: Any,
) -> None:
    before = lease_threads()

    async def take() -> None:
        await broker.publish(Message(task_name="q"))
        await broker.consume("q")

    for _ in range(3):
        asyncio.run(take())

    wait_until(
        lambda: len(lease_threads() - before) == 1, 10, "the threads of closed loops to end"
    )


@pytest.mark.parametrize("turns", range(6))
def test_scaffolded_consume_ends_when_it_is_cancelled_as_it_wakes(
    broker: Any, turns: int
) -> None:
    async def cancel() -> bool:
        consuming = asyncio.ensure_future(broker.consume("q"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await broker.publish(Message(task_name="another"))  # wakes it for nothing
        for _ in range(turns):
            await asyncio.sleep(0)
        consuming.cancel()
        await asyncio.wait({consuming}, timeout=2)
        return consuming.cancelled()

    assert asyncio.run(cancel())


def run(*command: str | Path, cwd: Path | None = None) -> str:
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


class Environment:
    """A clean environment that holds ltq-core, from its wheel.

    Our own pip and build backend serve it: its own would take three times as long.
    """

    def __init__(self, root: Path) -> None:
        venv.create(root / "venv", symlinks=True)
        self.bin = root / "venv/bin"
        wheel = ("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", root)
        run(sys.executable, "-m", "pip", *wheel, CORE)
        self.install(*root.glob("*.whl"))

    def install(self, *what: str | Path, cwd: Path | None = None) -> None:
        """Install *what*, with all that it asks for."""
        pip = (sys.executable, "-m", "pip", "--python", self.bin / "python")
        run(*pip, "install", "--no-compile", *what, cwd=cwd)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """One for the tests of this module that run in the same process."""
    return Environment(tmp_path_factory.mktemp("environment"))


@pytest.mark.wheels
@pytest.mark.parametrize("kind", KINDS)
def test_package_passes_its_own_tests_in_a_clean_environment(
    environment: Environment, tmp_path: Path, kind: str
) -> None:
    name = f"ltq-my-{kind}"
    run(environment.bin / "ltq", "plugins", "new", name, "--kind", kind, cwd=tmp_path)
    # Beside what it asks for itself, only what lets a broker's tests wait at the same time.
    environment.install(".[test]", "pytest-xdist", cwd=tmp_path / name)

    at_once = "-n=3" if kind == "broker" else "-n=0"
    run(environment.bin / "pytest", "-W", "error", at_once, cwd=tmp_path / name)
    assert run(environment.bin / "ltq", "plugins", "check", name) == f"my-{kind}: ok\n"
