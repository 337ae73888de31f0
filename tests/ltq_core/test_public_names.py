"""What `import ltq` and `import ltq_core` offer, at run time and to type checkers."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ltq
import ltq_core
import ltq_memory
import ltq_redis
import ltq_sentry

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[2]
PACKAGES = ("ltq_core", "ltq_memory", "ltq_redis", "ltq_sentry")

NAMES = (
    "App Broker DeferError Message Middleware MaxAge MaxRate MaxTries RejectError RetryError"
    " Scheduler Task Worker current_message get_logger"
).split()
MODULES = "app broker errors logger message middleware scheduler task worker".split()
FOR_PLUGINS = (
    "Broker BrokerUnavailableError ConfigurationError DeadLetter DeadLetters DeclaresLimits"
    " Delivery LeaseKeeper LTQError Message Middleware MiddlewareSpec PerLoop PluginError"
    " PluginInfo SharedLimits Task UniquePublish did_you_mean get_logger hookimpl installed"
    " lazy_names load_command now redact revived undecodable uptime"
).split()

OF_PLUGINS = pytest.mark.parametrize(
    ("module", "name", "package"),
    [
        ("ltq.middleware", "Sentry", "ltq-sentry"),
        ("ltq.broker", "RedisBroker", "ltq-redis"),
        ("ltq.broker", "MemoryBroker", "ltq-memory"),
    ],
)

# What runs after it finds that the package PACKAGE is not installed.
HIDE = """
import sys
from importlib.machinery import PathFinder

class Hide(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name == PACKAGE else super().find_spec(name, path, target)

sys.meta_path = [Hide if finder is PathFinder else finder for finder in sys.meta_path]
"""


def without(package: str, source: str) -> subprocess.CompletedProcess[str]:
    """Run *source* in a process that lacks *package*."""
    hide = HIDE.replace("PACKAGE", repr(package.replace("-", "_")))
    command = [sys.executable, "-c", hide + source]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def declared(module: ModuleType) -> dict[str, str]:
    """The names that a type checker sees, with the modules that it takes them from."""
    tree = ast.parse(Path(str(module.__file__)).read_text())
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    return {
        alias.name: str(node.module)
        for node in imports
        for alias in node.names
        if alias.asname == alias.name
    }


@pytest.mark.parametrize("name", NAMES)
def test_ltq_offers_what_people_who_write_tasks_need(name: str) -> None:
    assert getattr(ltq, name).__module__.startswith("ltq_core.")
    assert name in ltq.__all__
    assert name in dir(ltq)


@pytest.mark.parametrize("name", MODULES)
def test_ltq_offers_its_modules_without_another_import(name: str) -> None:
    assert getattr(ltq, name) is importlib.import_module(f"ltq.{name}")


@pytest.mark.parametrize("name", FOR_PLUGINS)
def test_ltq_core_offers_what_plugins_need(name: str) -> None:
    assert name in ltq_core.__all__


@pytest.mark.parametrize("package", [ltq, ltq_core, ltq_memory, ltq_redis, ltq_sentry])
def test_type_checkers_see_the_names_that_there_are(package: ModuleType) -> None:
    seen = declared(package)

    for name, home in seen.items():
        assert getattr(package, name) is getattr(importlib.import_module(home), name)
    assert set(package.__all__) - {"__version__"} == set(seen) - set(MODULES)


@pytest.mark.parametrize("package", ["ltq_memory", "ltq_redis", "ltq_sentry"])
def test_plugin_is_found_without_what_it_is_made_of(package: str) -> None:
    source = (
        f"import sys, {package}.plugin;"
        f" print(*(name for name in sys.modules if name.startswith('{package}')))"
    )

    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == [package, f"{package}.plugin"]


def test_star_import_works(tmp_path: Path) -> None:
    source = "from ltq import *; from ltq.middleware import *; from ltq.broker import *; Worker"

    subprocess.run([sys.executable, "-c", source], check=True, cwd=tmp_path)


def test_unknown_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="module 'ltq' has no attribute 'Wroker'"):
        _ = ltq.Wroker  # type: ignore[attr-defined]


@OF_PLUGINS
def test_names_of_plugins_are_found_where_these_are_installed(
    module: str, name: str, package: str
) -> None:
    found = getattr(importlib.import_module(module), name)

    assert found.__module__.startswith(package.replace("-", "_"))


@OF_PLUGINS
def test_names_of_plugins_that_are_missing_say_what_to_install(
    module: str, name: str, package: str
) -> None:
    done = without(package, f"from {module} import {name}")

    assert done.stderr.splitlines()[-1] == (
        f"ImportError: {module}.{name} needs the package {package}. Run: pip install {package}"
    )


@OF_PLUGINS
def test_help_lists_the_names_of_plugins_that_are_installed(
    module: str, name: str, package: str
) -> None:
    done = without(package, f"import {module}; print(dir({module})); help({module})")

    assert name in dir(importlib.import_module(module))
    assert done.stderr == ""
    assert f"'{name}'" not in done.stdout
    assert f"Help on module {module}" in done.stdout


def test_mypy_sees_the_types_of_ltq(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import ltq\n"
        "from ltq.middleware import MaxAge, Middleware\n"
        "worker = ltq.Worker('github')\n"
        "@worker.task(max_tries=3)\n"
        "async def fetch(owner: str) -> int: return 1\n"
        "async def main() -> None:\n"
        "    reveal_type(await fetch.send('python'))\n"
        "    await fetch.send(5)\n"
        "    ltq.Wroker\n"
        "    ltq.broker.Borker\n"
    )

    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), program],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )

    lines = [line.removeprefix(f"{program}:") for line in done.stdout.splitlines()]
    assert lines[0].endswith('7: note: Revealed type is "str"')
    assert "8: error: Argument 1" in lines[1]
    assert 'Module has no attribute "Wroker"' in lines[2]
    assert 'Module has no attribute "Borker"' in lines[3]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_has_the_one_version_number(package: str) -> None:
    project = tomllib.loads((ROOT / package / "pyproject.toml").read_text())["project"]

    assert project["version"] == ltq_core.__version__ == ltq.__version__
