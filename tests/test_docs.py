"""The guides in ``docs/``: every step is run, every hook is as documented."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
import sys
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from fake_site import FakeSite, site
from fenced import Block, blocks
from ltq_core import hookspecs
from ltq_core.plugins.loading import HOOKS, new_manager
from sandbox import Sandbox, sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["sandbox", "site"]

DOCS = Path(__file__).parents[1] / "docs"
PLUGINS = DOCS / "plugins"


class Reader:
    """Somebody who follows a guide, in a folder of their own.

    A block with a title is (a further part of) a file; ``console`` holds commands and what
    they print; other Python is a program of its own.
    """

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.folder = folder
        self._sandbox = sandbox
        self._installed = self._stale = False

    def follow(self, block: Block) -> None:
        if block.title:
            self._write(block.title, block.text)
        elif block.language == "console":
            for command, expected in commands(block.text):
                self._type(command, expected)
        elif block.language == "python":
            self._refresh()
            self._sandbox.run(self.folder, "-W", "error", "-c", block.text)

    def _write(self, title: str, text: str) -> None:
        file = self.folder / title
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as written:
            written.write(text)
        self._stale = True

    def _type(self, command: str, expected: str) -> None:
        if command == "pip install --editable '.[test]'":
            self._installed = True
        self._refresh()
        program, *args = shlex.split(command)
        if program == "pytest":
            self._sandbox.pytest(self.folder, *args)
        elif program == "ltq":
            printed = self._sandbox.ltq(self.folder, *args)
            assert fnmatchcase(printed, expected), printed
        else:
            assert program == "pip", command

    def _refresh(self) -> None:
        if self._installed and self._stale:  # an editable installation needs no refreshing
            self._sandbox.install(self.folder)
            self._stale = False


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Each command with a pattern of what it prints, where ``...`` stands for anything."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output.strip().replace("[", "[[]").replace("...", "*")


@pytest.mark.wheels
@pytest.mark.parametrize("name", ["write-a-broker", "write-a-middleware"])
def test_every_step_of_the_guide_works(name: str, tmp_path: Path, sandbox: Sandbox) -> None:
    reader = Reader(tmp_path, sandbox)
    for block in blocks(PLUGINS / f"{name}.md"):
        print(f"{name}.md, line {block.line}")  # shown where a step fails
        reader.follow(block)


def test_every_hook_is_documented_with_its_exact_signature() -> None:
    documented = [
        node
        for block in blocks(PLUGINS / "hooks.md")
        for node in ast.parse(block.text).body
        if isinstance(node, ast.FunctionDef) and not node.decorator_list
    ]

    assert [signature(node) for node in documented] == [signature(specified(h)) for h in HOOKS]


def test_every_example_of_a_hook_is_one() -> None:
    examples = [block for block in blocks(PLUGINS / "hooks.md") if "@hookimpl" in block.text]
    manager = new_manager()
    for block in examples:
        plugin = ModuleType(f"line_{block.line}")
        exec(block.text, vars(plugin))
        manager.register(plugin)
    manager.check_pending()  # names that are no hook's

    assert [len(getattr(manager.hook, hook).get_hookimpls()) for hook in HOOKS] == [1] * 4


def test_package_is_light_as_the_page_on_hooks_shows(site: FakeSite) -> None:
    (block,) = [block for block in blocks(PLUGINS / "hooks.md") if block.title]
    package = (site.root / block.title.removeprefix("src/")).parent
    package.mkdir()
    (package / "__init__.py").write_text(block.text)
    (package / "broker.py").write_text("class NatsBroker: ...")

    nats = import_module(package.name)

    assert f"{package.name}.broker" not in sys.modules
    assert nats.NatsBroker.__module__ == f"{package.name}.broker"


def specified(hook: str) -> ast.FunctionDef:
    """A hook as ``hookspecs.py`` defines it."""
    [node] = ast.parse(inspect.getsource(getattr(hookspecs, hook))).body
    assert isinstance(node, ast.FunctionDef)
    return node


def signature(node: ast.FunctionDef) -> str:
    returns = "" if node.returns is None else ast.unparse(node.returns)
    return f"{node.name}({ast.unparse(node.args)}) -> {returns}"


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.stem)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())

    assert [target for target in targets if not (page.parent / target).exists()] == []
