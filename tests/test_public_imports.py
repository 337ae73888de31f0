"""Our own plugins, and those that we show to others, live by what the core makes public."""

from __future__ import annotations

import ast
from collections import defaultdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from fenced import blocks
from ltq_core.cli.plugins import plugins
from ltq_core.cli.plugins.new import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PLUGINS = ("ltq_memory", "ltq_redis", "ltq_sentry")
PAGES = sorted(
    {*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("[!.]*/**/README.md")}
)

LTQS = {"ltq", "ltq_core", *PLUGINS}
PUBLIC = {
    *LTQS,
    "ltq_core.testing",
    "ltq.broker.MemoryBroker",
    "ltq.broker.RedisBroker",
    "ltq.middleware.Sentry",
    *(f"ltq.{path.stem}" for path in (ROOT / "ltq_core/src/ltq").glob("[!_]*.py")),
}
"""The modules whose public names others may use, and names that depend on what is installed."""


def private_uses(source: str, own: str = "") -> list[str]:
    """What *source* takes from LTQ, apart from its *own* package, that is not public."""
    return [
        f"{module}.{name}" if name else module
        for module, name in uses(ast.parse(source))
        if module.partition(".")[0] in LTQS - {own} and not is_public(module, name)
    ]


def uses(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Module and name of each import, also those for type checkers, and of `module.name`."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((alias.name, "") for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield from ((module, alias.name) for alias in names)
            case ast.Attribute(value=ast.Name(module), attr=name):
                yield module, name


def is_public(module: str, name: str) -> bool:
    if module not in PUBLIC:
        return False
    return not name or f"{module}.{name}" in PUBLIC or name in import_module(module).__all__


def of_folder(folder: Path, own: str = "") -> dict[str, list[str]]:
    """The private uses in each file below *folder* that has some."""
    files = sorted(folder.rglob("*.py"))
    assert files
    found = {
        str(file.relative_to(folder)): private_uses(file.read_text(), own) for file in files
    }
    return {file: uses for file, uses in found.items() if uses}


def programs(page: Path) -> dict[str, str]:
    """The Python that *page* shows: its files by title, other blocks by line."""
    texts: dict[str, str] = defaultdict(str)
    for block in blocks(page, "python"):
        texts[block.title or f"line {block.line}"] += block.text
    return texts


@pytest.mark.parametrize("package", PLUGINS)
def test_plugin_of_ours_uses_only_public_names(package: str) -> None:
    assert of_folder(ROOT / package, own=package) == {}


def test_examples_use_only_public_names() -> None:
    assert of_folder(ROOT / "examples") == {}


@pytest.mark.parametrize("kind", KINDS)
def test_plugin_that_is_written_for_others_uses_only_public_names(
    kind: str, tmp_path: Path
) -> None:
    args = ["new", "ltq-nats", "--kind", kind, "--directory", str(tmp_path)]
    CliRunner().invoke(plugins, args, catch_exceptions=False)

    assert of_folder(tmp_path) == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_uses_only_public_names(page: Path) -> None:
    found = {title: private_uses(text) for title, text in programs(page).items()}

    assert {title: uses for title, uses in found.items() if uses} == {}


@pytest.mark.parametrize(
    "line",
    [
        "import ltq_core.lifeline",
        "from ltq_core.abilities import QueueLimits",
        "from ltq_core import abilities",
        "from ltq_core import _NAMES",
        "from ltq_core.testing import lab",
        "from ltq_redis.settings import parse",
        "import ltq_core; ltq_core.broker",
        "def f(): import ltq_core.worker.runs",
        "if TYPE_CHECKING: import ltq_core.task",
    ],
)
def test_private_use_is_seen(line: str) -> None:
    assert len(private_uses(line)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "import ltq_core; ltq_core.Broker",
        "from ltq_core import Broker, __version__, testing",
        "import ltq_core.testing",
        "from ltq_core.testing import Harness",
        "import ltq; ltq.middleware.Sentry",
        "from ltq.errors import RetryError",
        "from ltq_redis import RedisBroker",
        "from ltq_nats.settings import _parse",
        "from . import settings",
    ],
)
def test_public_use_is_let_through(line: str) -> None:
    assert private_uses(line) == []


def test_plugin_may_use_all_of_its_own() -> None:
    assert private_uses("from ltq_redis.settings import _number", own="ltq_redis") == []
