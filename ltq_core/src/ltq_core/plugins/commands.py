"""The subcommands of ``ltq`` that plugins offer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ltq_core.errors import PluginError
from ltq_core.logger import typed
from ltq_core.plugins.imports import import_part
from ltq_core.plugins.registry import current

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich_click import Command

    from ltq_core.plugins.plugin import CommandTarget


def commands() -> Mapping[str, CommandTarget]:
    """What plugins offer beside the core's, by the command's name; imports none of it.

    Reading a name that two plugins claim raises a `PluginError`.
    """
    return current().found.commands


def load_command(name: str) -> Command:
    """The command *name*, one of `commands`.

    Raises:
        PluginError: It cannot be imported, is no command, or two plugins claim it.
    """
    from rich_click import Command

    offered = current().found.commands
    plugin, part = offered.owner(name), f"Command '{name}'"
    command: Any = import_part(plugin, part, offered[name])
    if not isinstance(command, Command):
        text = f"it is {typed(command)}, not a click.Command"
        raise PluginError(plugin.failure(text, part))
    return command
