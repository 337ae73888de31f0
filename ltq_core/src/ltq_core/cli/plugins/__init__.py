"""``ltq plugins``: see what is installed, examine it, check it, begin a new one."""

from __future__ import annotations

from ltq_core.cli.lazy_group import LazyGroup
from ltq_core.cli.toolkit import click

_PLACES = {
    "list": "ltq_core.cli.plugins.list:list_plugins",
    "show": "ltq_core.cli.plugins.show:show_plugin",
    "check": "ltq_core.cli.plugins.check:check_plugins",
    "new": "ltq_core.cli.plugins.new:new_plugin",
}


@click.group(cls=LazyGroup, places=_PLACES)
def plugins() -> None:
    """See, check and write plugins."""
