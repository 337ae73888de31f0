"""Dead letters for the command line: choose them, print them, move them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ltq_core.abilities import DeadLetters
from ltq_core.cli.output import print_json, print_table
from ltq_core.cli.queues import ask_broker
from ltq_core.cli.toolkit import click
from ltq_core.dead_letter import REASONS, DeadLetter
from ltq_core.errors import ConfigurationError, LTQError
from ltq_core.logger import printable
from ltq_core.plugins import schemes_with

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from ltq_core.broker import Broker

# More than any broker keeps: `DeadLetters.dead_letters` wants a number.
_ALL = 1_000_000

# How many letters one call moves, so that the store is not held up for long. A guess.
_BATCH = 500


@dataclass(frozen=True)
class Selection:
    """Which dead letters are meant.

    Attributes:
        queue: Those of this queue.
        ids: Those with these ids; empty for all.
        reason: Those given up for this reason; None for any.
    """

    queue: str
    ids: tuple[str, ...]
    reason: str | None

    def find(self) -> list[DeadLetter]:
        """The selected letters, the newest first.

        Raises:
            ConfigurationError: The broker keeps none, or nothing ever dies for *reason*.
            BrokerUnavailableError: It did not answer.
        """
        wanted = self.ids or None
        letters = ask_broker(
            lambda broker: _keeper(broker).dead_letters(self.queue, wanted, _ALL)
        )
        found = [letter for letter in letters if self.reason in (None, letter.reason)]
        # Asked last: a newer version may give messages up for reasons of its own.
        if not found and self.reason not in (None, *REASONS):
            raise ConfigurationError(
                f"{self.queue} has no dead letter of the reason '{self.reason}', "
                f"which is none of: {', '.join(REASONS)}."
            )
        return found

    def require(self, letters: Sequence[DeadLetter]) -> None:
        """Raise an `LTQError` that names the ids which *letters* lacks."""
        missing = [id_ for id_ in self.ids if id_ not in {letter.id for letter in letters}]
        if missing:
            raise LTQError(
                f"{self.queue} has no dead letter {', '.join(missing)}. "
                f"See: ltq dead list {self.queue}."
            )


def requeue(queue: str, letters: Sequence[DeadLetter]) -> int:
    """Put the messages of *letters* back, oldest first; how many there were."""
    whole = [letter.id for letter in reversed(letters) if letter.message is not None]
    if len(whole) < len(letters):
        count = len(letters) - len(whole)
        click.echo(
            f"{count} could never be decoded and stay dead letters. See: ltq dead show.",
            err=True,
        )
    return _in_batches(whole, lambda keeper, ids: keeper.requeue_dead(queue, ids))


def delete(queue: str, letters: Sequence[DeadLetter]) -> int:
    """Forget *letters*; how many there were."""
    ids = [letter.id for letter in letters]
    return _in_batches(ids, lambda keeper, some: keeper.delete_dead(queue, some))


def print_count(queue: str, what: str, count: int, *, as_json: bool) -> None:
    """Print how many letters something was done to."""
    if as_json:
        print_json({"queue": queue, what: count})
    else:
        click.echo(f"{queue}: {count} {what}")


def print_list(letters: Sequence[DeadLetter], *, as_json: bool) -> None:
    """Print a line for each of *letters*, or a JSON list of them."""
    if as_json:
        print_json([_plain(letter) for letter in letters])
    elif letters:
        print_table(
            [("ID", "DIED", "REASON", "TRIES", "ERROR"), *map(_row, letters)], note=True
        )
    else:
        _say_that_there_are_none()


def print_letters(letters: Sequence[DeadLetter], *, as_json: bool) -> None:
    """Print all of each of *letters*, or a JSON list of them."""
    if as_json:
        print_json([_plain(letter) for letter in letters])
    elif letters:
        click.echo("\n\n".join("\n".join(_details(letter)) for letter in letters))
    else:
        _say_that_there_are_none()


def _say_that_there_are_none() -> None:
    click.echo("No dead letters.", err=True)


def _in_batches(
    ids: Sequence[str], move: Callable[[DeadLetters, Sequence[str]], Awaitable[int]]
) -> int:
    async def all_of_them(broker: Broker) -> int:
        keeper, count = _keeper(broker), 0
        for start in range(0, len(ids), _BATCH):
            count += await move(keeper, ids[start : start + _BATCH])
        return count

    return ask_broker(all_of_them) if ids else 0


def _keeper(broker: Broker) -> DeadLetters:
    if isinstance(broker, DeadLetters):
        return broker
    others = ", ".join(schemes_with(DeadLetters)) or "none"
    raise ConfigurationError(
        f"{type(broker).__name__} keeps no dead letters. Use a broker that does "
        f"(installed: {others})."
    )


def _row(letter: DeadLetter) -> tuple[str, ...]:
    return (
        printable(letter.id),
        _time(letter.died_at),
        printable(letter.reason),
        str(letter.tries),
        printable(_error(letter), 100),
    )


def _details(letter: DeadLetter) -> Iterator[str]:
    yield f"id:         {printable(letter.id)}"
    yield f"reason:     {printable(letter.reason)}"
    yield f"error:      {printable(_error(letter))}"
    place = printable(f"at worker {letter.worker} on {letter.host}")
    yield f"died:       {_time(letter.died_at)}, {place}"
    if letter.created_at is not None:
        yield f"created:    {_time(letter.created_at)}"
    yield f"tries:      {letter.tries} failed, {letter.crashes} ended with their worker"
    if letter.message is None:
        yield f"bytes:      {printable(letter.body, 2000)}"
    else:
        yield f"arguments:  {json.dumps([letter.message.args, letter.message.kwargs])}"
        yield f"ctx:        {json.dumps(letter.message.ctx)}"
    yield from (printable(line) for line in letter.traceback.splitlines())


def _error(letter: DeadLetter) -> str:
    return f"{letter.error_type}: {letter.error}" if letter.error_type else letter.error


def _time(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):  # anybody may have written the letter
        return f"{seconds:g}"


def _plain(letter: DeadLetter) -> Any:
    return json.loads(letter.to_json())
