"""``ltq plugins new``."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from ltq_core import __version__
from ltq_core.cli.toolkit import click
from ltq_core.errors import ConfigurationError
from ltq_core.plugins.core import COMMANDS
from ltq_core.plugins.plugin import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

KINDS = {
    "broker": "A broker for LTQ",
    "middleware": "A middleware for LTQ",
    "command": "A command for LTQ",
}
"""What a plugin may begin as; each is a folder of templates."""

TAKEN = {"ltq", "core", "limits", "memory", "redis", "sentry", *COMMANDS}
"""What LTQ's own packages, plugins and commands are called."""


@click.command("new")
@click.argument("name")
@click.option("--kind", type=click.Choice(list(KINDS)), default="broker", show_default=True)
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Where the package's folder is made; the current directory without it.",
)
def new_plugin(name: str, kind: str, directory: Path) -> None:
    """Write a complete package for a plugin, tests included.

    NAME is the new distribution's, such as ltq-nats, or nats for short; its scheme,
    middleware or command is then called nats. Prints the folder that was made.
    """
    names = _names(name)
    folder = directory / names.distribution
    if folder.exists():
        raise ConfigurationError(f"'{folder}' exists already. Choose another --directory.")
    for path, text in _package(kind, names):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    click.echo(folder)
    click.echo("Next: cd there, pip install --editable '.[test]', and run pytest.", err=True)


@dataclass(frozen=True)
class _Names:
    distribution: str
    module: str
    plugin: str
    cls: str
    option: str


def _names(name: str) -> _Names:
    plugin = canonical(name).removeprefix("ltq-")
    option = plugin.replace("-", "_")
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", plugin) or keyword.iskeyword(option):
        raise ConfigurationError(f"'{name}' cannot name a package. Choose one like ltq-nats.")
    if plugin in TAKEN:
        raise ConfigurationError(f"The name '{name}' is taken. Choose another, like ltq-nats.")
    cls = "".join(word.capitalize() for word in plugin.split("-"))
    # A package 'nats' would stand before the client that it is to import.
    return _Names(f"ltq-{plugin}", f"ltq_{option}", plugin, cls, option)


def _package(kind: str, names: _Names) -> Iterator[tuple[str, str]]:
    """The path and the text of each file."""
    major, minor, *_ = __version__.split(".")
    core = f'"ltq-core>={major}.{minor},<{major}.{int(minor) + 1}"'
    fields = vars(names) | {
        "summary": KINDS[kind],
        "dependencies": f'{core}, "rich-click>=1.8.5,<2"' if kind == "command" else core,
    }
    for folder in ("common", kind):
        for path, template in _templates(files(__package__) / "templates" / folder):
            place = path.replace("/module/", f"/{names.module}/").removesuffix(".tmpl")
            yield place, Template(template).substitute(fields)


def _templates(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, str]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _templates(entry, f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, entry.read_text(encoding="utf-8")
