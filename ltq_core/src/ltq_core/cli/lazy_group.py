"""`LazyGroup`: a group whose commands are imported when they are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ltq_core.cli.toolkit import Group, click
from ltq_core.nearest import did_you_mean
from ltq_core.plugins.imports import import_string

if TYPE_CHECKING:
    from collections.abc import Mapping


class LazyGroup(Group):
    """Knows its commands by name and import string.

    Args:
        places: For each command the ``module:object`` that holds it, in the order of
            the help.
    """

    def __init__(self, *args: Any, places: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return list(self.places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command *cmd_name*, imported; None if there is none."""
        if cmd_name not in self.places:
            return None
        command: click.Command = import_string(self.places[cmd_name])
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest name suggested."""
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            hint = did_you_mean(args[0], self.list_commands(ctx))
            ctx.fail(f"No such command '{args[0]}'. {hint}")
        return super().resolve_command(ctx, args)
