"""The packages in ``examples/plugins``: built, installed, and put to their own tests."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox import Sandbox, sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["sandbox"]

EXAMPLES = Path(__file__).parents[2] / "examples" / "plugins"
PACKAGES = sorted(path.parent.name for path in EXAMPLES.glob("*/pyproject.toml"))


@pytest.mark.wheels
@pytest.mark.parametrize("name", PACKAGES)
def test_package_passes_its_own_tests(name: str, sandbox: Sandbox) -> None:
    folder = EXAMPLES / name
    sandbox.install(folder)

    sandbox.pytest(folder)
    distribution, plugin = name.replace("_", "-"), name.removeprefix("ltq_")
    assert sandbox.ltq(folder, "plugins", "check", distribution) == f"{plugin}: ok"


def test_abilities_of_the_sqlite_broker_are_shown(sandbox: Sandbox) -> None:
    sandbox.install(EXAMPLES / "ltq_sqlite")

    shown = sandbox.ltq(EXAMPLES, "plugins", "show", "ltq-sqlite")
    abilities = "DeadLetters, UniquePublish, Ticks, Inspection"
    assert f"durable, shared by processes; {abilities}" in shown


@pytest.mark.parametrize("name", PACKAGES)
def test_package_imports_nothing_of_ltq_but_public_names(name: str) -> None:
    used = {
        item for file in (EXAMPLES / name / "src").rglob("*.py") for item in names_of_ltq(file)
    }

    assert used
    public = set(import_module("ltq_core").__all__)
    assert {item for module, item in used if module == "ltq_core"} <= public
    assert {module for module, _ in used} <= {"ltq_core", "ltq_core.abilities"}
    assert not any(item.startswith("_") for _, item in used)


def names_of_ltq(file: Path) -> Iterator[tuple[str, str]]:
    """Module and name of each thing that *file* imports from LTQ's own packages."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and is_ltqs(node.module or ""):
            yield from ((node.module or "", alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if is_ltqs(alias.name))


def is_ltqs(module: str) -> bool:
    ours = {"ltq", "ltq_core", "ltq_memory", "ltq_redis", "ltq_sentry"}
    return module.partition(".")[0] in ours
