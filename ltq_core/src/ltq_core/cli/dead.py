"""``ltq dead``: what was given up, and why; put it back, or forget it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ltq_core.cli.lazy_group import LazyGroup
from ltq_core.cli.options import broker_url_option, json_option
from ltq_core.cli.toolkit import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from ltq_core.cli.letters import Selection

    F = TypeVar("F", bound=Callable[..., Any])


# Named, since click would put `delete` first: it sorts the commands that it collects.
_PLACES = {
    "list": "ltq_core.cli.dead:list_letters",
    "show": "ltq_core.cli.dead:show_letters",
    "requeue": "ltq_core.cli.dead:requeue_letters",
    "delete": "ltq_core.cli.dead:delete_letters",
}


@click.group(cls=LazyGroup, places=_PLACES)
def dead() -> None:
    """See what was given up, put it back, or forget it."""


def _selection(function: F) -> F:
    """The arguments and options of all these commands; `_select` reads the first four."""
    for decorate in (
        broker_url_option,
        json_option,
        click.option(
            "--reason",
            metavar="REASON",
            help="Only what was given up for this reason, such as rejected.",
        ),
        click.option("--all", "every", is_flag=True, help="Every dead letter of QUEUE."),
        click.argument("ids", metavar="[ID]...", nargs=-1),
        click.argument("queue"),
    ):
        function = decorate(function)
    return function


def _select(queue: str, ids: tuple[str, ...], every: bool, reason: str | None) -> Selection:
    from ltq_core.cli.letters import Selection

    if bool(ids) == bool(every or reason):
        raise click.UsageError("Give either the IDs of messages, or --all, or a --reason.")
    return Selection(queue, ids, reason)


def _print_found(
    selection: Selection, print_all: Callable[..., None], *, as_json: bool
) -> None:
    letters = selection.find()
    if letters or not selection.ids:  # or "No dead letters." would speak of the whole queue
        print_all(letters, as_json=as_json)
    selection.require(letters)


@click.command("list")
@_selection
def list_letters(
    queue: str, ids: tuple[str, ...], every: bool, reason: str | None, as_json: bool
) -> None:
    """List the dead letters of QUEUE, the newest first."""
    from ltq_core.cli.letters import print_list

    _print_found(_select(queue, ids, every or not ids, reason), print_list, as_json=as_json)


@click.command("show")
@_selection
def show_letters(
    queue: str, ids: tuple[str, ...], every: bool, reason: str | None, as_json: bool
) -> None:
    """Show dead letters of QUEUE in full, with arguments and traceback."""
    from ltq_core.cli.letters import print_letters

    _print_found(_select(queue, ids, every, reason), print_letters, as_json=as_json)


@click.command("requeue")
@_selection
def requeue_letters(
    queue: str, ids: tuple[str, ...], every: bool, reason: str | None, as_json: bool
) -> None:
    """Put the messages of dead letters back into QUEUE, due at once."""
    from ltq_core.cli.letters import print_count, requeue

    selection = _select(queue, ids, every, reason)
    letters = selection.find()
    count = requeue(queue, letters)
    print_count(queue, "requeued", count, as_json=as_json)
    selection.require(letters)


@click.command("delete")
@_selection
def delete_letters(
    queue: str, ids: tuple[str, ...], every: bool, reason: str | None, as_json: bool
) -> None:
    """Forget dead letters of QUEUE for good."""
    from ltq_core.cli.letters import delete, print_count

    selection = _select(queue, ids, every, reason)
    letters = selection.find()
    print_count(queue, "deleted", delete(queue, letters), as_json=as_json)
    selection.require(letters)
