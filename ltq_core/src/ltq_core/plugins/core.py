"""What the core has itself: it stands, whatever a plugin offers under the same name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltq_core.plugins.plugin import canonical
from ltq_core.plugins.requirement import CORE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ltq_core.plugins.plugin import Plugin

COMMANDS = {
    "run": "ltq_core.cli.run:run",
    "size": "ltq_core.cli.size:size",
    "clear": "ltq_core.cli.clear:clear",
    "dead": "ltq_core.cli.dead:dead",
    "schedule": "ltq_core.cli.schedule:schedule",
    "plugins": "ltq_core.cli.plugins:plugins",
}
"""The core's own commands, each imported when it is run or shown."""


def is_core(plugin: Plugin) -> bool:
    """Whether *plugin* is the core's own."""
    return canonical(plugin.distribution) == CORE


def protect(plugins: Sequence[Plugin]) -> None:
    """Drop from foreign *plugins* what the core's own offer too, and note that on them."""
    own = [spec for plugin in plugins if is_core(plugin) for spec in plugin.middleware]
    names = {spec.name for spec in own}
    options = {option for spec in own for option in spec.options}
    for plugin in plugins:
        if is_core(plugin):
            continue
        for what in [*_middleware(plugin, names, options), *_commands(plugin)]:
            plugin.dispute(
                f"Plugin {plugin} cannot replace the core's {what}, which stands. "
                f"Update it, or set LTQ_DISABLE_PLUGINS={plugin.name}."
            )


def _middleware(plugin: Plugin, names: set[str], options: set[str]) -> Iterator[str]:
    for spec in plugin.middleware:
        taken = [f"task option '{one}'" for one in spec.options if one in options]
        if spec.name in names:
            taken.insert(0, f"middleware '{spec.name}'")
        if taken:
            plugin.middleware = tuple(one for one in plugin.middleware if one is not spec)
        yield from taken


def _commands(plugin: Plugin) -> Iterator[str]:
    taken = sorted(plugin.commands.keys() & COMMANDS.keys())
    plugin.commands = {
        name: command for name, command in plugin.commands.items() if name not in taken
    }
    yield from (f"command '{name}'" for name in taken)
