"""The packages in ``examples/plugins``: built, installed, and put to their own tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox import Sandbox, sandbox

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
