"""The core's layers: a module imports only from its own and from lower ones."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ltq_core

if TYPE_CHECKING:
    from collections.abc import Iterator

# Lowest first. Every module or package of the core has its place here.
LAYERS = (
    "lazy",
    "nearest",
    "values",
    "errors",
    "logger",
    "patience",
    "clock",
    "message",
    "hookspecs",
    "middleware",
    "plugins",
    "lifeline",
    "prefetch",
    "broker",
    "dead_letter",
    "abilities",
    "arguments",
    "sends",
    "task",
    "limits",
    "worker",
    "scheduler",
    "app",
    "cli",
    "testing",
)
PLUGINS = {"ltq_memory", "ltq_redis", "ltq_sentry"}

SOURCE = Path(ltq_core.__file__).parent
MODULES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


def imported(node: ast.AST) -> Iterator[str]:
    """The modules that *node* imports at run time, inside functions too."""
    match node:
        case ast.If(test=ast.Name("TYPE_CHECKING"), orelse=orelse):
            yield from (name for child in orelse for name in imported(child))
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module="ltq_core", names=names):
            yield from (f"ltq_core.{home(alias.name)}" for alias in names)
        case ast.ImportFrom(module=str(module)):
            yield module
        case _:
            for child in ast.iter_child_nodes(node):
                yield from imported(child)


def home(name: str) -> str:
    """Where ``from ltq_core import name`` gets *name* from."""
    public: str = ltq_core._HOMES.get(name, f"ltq_core.{name}")
    return public.removeprefix("ltq_core.")


def layer(module: str) -> int:
    """Of ``ltq_core.x.y`` the layer of ``x``."""
    return LAYERS.index(module.split(".")[1])


def all_imports(path: Path) -> list[str]:
    """What the module at *path* imports of LTQ's, at run time."""
    names = imported(ast.parse(path.read_text()))
    return [name for name in names if name.split(".")[0] in {"ltq", "ltq_core", *PLUGINS}]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_module_imports_only_from_lower_layers(path: Path) -> None:
    own = LAYERS.index(path.relative_to(SOURCE).with_suffix("").parts[0])

    names = [name for name in all_imports(path) if name != "ltq_core.__version__"]

    assert [name for name in names if not name.startswith("ltq_core.")] == []
    assert [name for name in names if layer(name) > own] == []


def test_every_layer_exists() -> None:
    found = {path.relative_to(SOURCE).with_suffix("").parts[0] for path in MODULES}

    assert found == set(LAYERS)


def test_short_import_name_only_re_exports() -> None:
    for path in (SOURCE.parent / "ltq").glob("*.py"):
        tree = ast.parse(path.read_text())

        assert not [n for n in ast.walk(tree) if isinstance(n, ast.ClassDef | ast.FunctionDef)]


def test_walk_sees_imports_inside_functions_but_not_those_for_type_checkers() -> None:
    source = (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import ltq_core.app\n"
        "def f():\n    from ltq_core import Worker, plugins\n    import ltq_core.cli.run"
    )

    assert list(imported(ast.parse(source)))[1:] == [
        "ltq_core.worker",
        "ltq_core.plugins",
        "ltq_core.cli.run",
    ]
