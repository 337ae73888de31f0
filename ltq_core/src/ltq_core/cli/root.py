"""The group ``ltq``: its options, and its commands, imported when they are needed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from click.exceptions import Exit

from ltq_core import __version__
from ltq_core.cli.failures import report, report_bug, report_interrupt
from ltq_core.cli.lazy_group import LazyGroup
from ltq_core.cli.options import broker_url_option
from ltq_core.cli.output import prints_aside
from ltq_core.cli.toolkit import click
from ltq_core.errors import LTQError, PluginError
from ltq_core.plugins import commands, disable, load_command
from ltq_core.plugins.core import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Root(LazyGroup):
    """The core's commands, found without discovery, and all that plugins offer."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """As click does; Ctrl-C ends it as it ends any other program."""
        with _interruptible():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """As click does; Ctrl-C ends it as it ends any other program."""
        with _interruptible():
            return super().invoke(ctx)

    @prints_aside()
    def list_commands(self, ctx: click.Context) -> list[str]:
        """The core's commands, then the plugins'."""
        return [*super().list_commands(ctx), *commands()]

    @prints_aside()
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command *cmd_name*; the core's own goes before a plugin's."""
        if own := super().get_command(ctx, cmd_name):
            return own
        return _load(cmd_name) if cmd_name in commands() else None


@contextmanager
def _interruptible() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as interrupt:  # click would say no more than "Aborted!", with 1
        raise Exit(report_interrupt(interrupt)) from None


def _load(name: str) -> click.Command:
    """A plugin's command; of one that is broken, a stand-in that says so.

    The list of commands must show the others whatever is wrong with this one.
    """
    try:
        command = load_command(name)
        command.name = name  # rich's help lists it by what it calls itself
        return command
    except PluginError as error:
        broken = error

    def fail() -> None:
        raise broken

    return click.Command(
        name,
        callback=fail,
        help=str(broken),
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )


def _keep_out(ctx: click.Context, parameter: click.Parameter, values: Sequence[str]) -> None:
    if values:
        disable([_unwanted(value) for value in values])


def _unwanted(value: str) -> str:
    prefix, _, name = value.partition(":")
    if prefix != "no" or not name:
        raise click.BadParameter(f"'{value}' must look like 'no:NAME'.")
    return name


@click.group(cls=Root, places=COMMANDS)
@broker_url_option
@click.option(
    "-p",
    metavar="no:NAME",
    multiple=True,
    is_eager=True,  # before --help, which lists the plugins' commands
    expose_value=False,
    callback=_keep_out,
    help="Keep a plugin out, by its own or its distribution's name. May be repeated.",
)
@click.version_option(__version__, message="ltq %(version)s")
def root() -> None:
    """LTQ: a lightweight, async-first task queue made of plugins."""


def run_root(args: Sequence[str]) -> int:
    """Run ``ltq`` with *args*; returns only where it fails, else click raises SystemExit."""
    try:
        root.main(args, prog_name="ltq")
    except LTQError as error:
        return report(error)
    except BrokenPipeError:  # `main` knows that it is no failure
        raise
    except Exception as error:
        return report_bug(error)
