"""``docs/command-line.md`` tells of every command, option, variable and exit code there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from command_line import ltq
from ltq_core.cli import failures
from ltq_core.cli.lazy_group import LazyGroup
from ltq_core.cli.root import root
from ltq_core.plugins.core import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "command-line.md").read_text()
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def tree(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    """The core's commands below *group*, each with what is typed to call it."""
    context = click.Context(group)
    names = group.places if isinstance(group, LazyGroup) else group.list_commands(context)
    for name in names:
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from tree(command, f"{path} {name}")
        elif command is not None:
            usage = command.collect_usage_pieces(click.Context(command))
            yield " ".join([path, name, *usage[1:]]), command


TREE = {"ltq": root, **dict(tree(root, "ltq"))}


def first_cells(section: str) -> list[str]:
    """The first cell of each row of the table in *section*, headings left out."""
    rows = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


def test_every_command_has_its_section_with_its_arguments() -> None:
    assert {head.strip("`") for head in SECTIONS if head.startswith("`")} == set(TREE)


@pytest.mark.parametrize("usage", TREE)
def test_every_option_of_a_command_is_in_its_table(usage: str) -> None:
    options = [one for one in TREE[usage].params if isinstance(one, click.Option)]

    cells = first_cells(SECTIONS[f"`{usage}`"])
    documented = [set(re.findall(r"`(-[\w-]+)", cell)) for cell in cells]
    assert sorted(map(sorted, documented)) == sorted(sorted(one.opts) for one in options)


def test_every_variable_that_is_read_is_documented() -> None:
    sources = [path.read_text() for path in ROOT.glob("ltq_core/src/**/*.py")]
    read = {name for text in sources for name in re.findall(r"environ.get\(\"(\w+)\"", text)}

    documented = {cell.strip("`") for cell in first_cells(SECTIONS["Environment"])}
    assert documented == read | {"COLUMNS"}  # which Python's shutil reads


def test_every_exit_code_is_documented() -> None:
    codes = {value for name, value in vars(failures).items() if name.isupper()}

    assert set(map(int, first_cells(SECTIONS["Exit codes"]))) == {0, *codes, 143}


def test_commands_of_plugins_do_not_belong_to_the_page() -> None:
    assert {usage.split()[1] for usage in TREE if usage != "ltq"} == set(COMMANDS)


def test_example_of_a_mistake_is_what_is_printed() -> None:
    [(command, printed)] = re.findall(r"^\$ ltq (.*)\n(.*)$", PAGE, re.MULTILINE)

    ended = ltq(*command.split())

    beginning, end = printed.split("…")
    assert ended.err.startswith(beginning)
    assert ended.err.endswith(f"{end}\n")
