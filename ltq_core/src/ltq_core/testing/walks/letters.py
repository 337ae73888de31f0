"""The steps of a walk with dead letters."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

from ltq_core.dead_letter import REASONS, DeadLetter, revived
from ltq_core.errors import LeaseLostError
from ltq_core.testing.walks.draws import TEXTS
from ltq_core.testing.walks.model import Held, plain
from ltq_core.testing.walks.publishing import scribble
from ltq_core.testing.walks.settling import NO_JSON, no_json
from ltq_core.testing.walks.walk import CONNECTIONS, PromiseError, cut, differ

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ltq_core.testing.walks.draws import Draw
    from ltq_core.testing.walks.walk import Walk

STRANGERS = ("", "*", "%", "no such id", "iD")
"""Ids of which there is no letter."""


async def bury(walk: Walk, draw: Draw) -> None:
    """Keep letters in the stead of messages."""
    for held in draw.some(walk.model.held, 5):
        letter = _letter(draw, held)
        kept = dataclasses.replace(letter, message=letter.message and plain(letter.message))
        await walk.call(held.at, "bury", held.message, letter)
        walk.model.end(held, "was buried")
        walk.model.queues[held.queue].dead[letter.id] = kept
        scribble(held.message)


async def bury_no_json(walk: Walk, draw: Draw) -> None:
    """A letter that JSON cannot say is not kept: its message is still held."""
    for held in draw.some(walk.model.held, 1):
        letter = DeadLetter(held.message.id, held.queue, "failed", 0.0, held.message)
        with no_json(held.message):
            await walk.refuses(held.at, "bury", held.message, letter)


async def bury_again(walk: Walk, draw: Draw) -> None:
    """Bury by an old delivery: that changes nothing."""
    for held in draw.some(walk.model.returned() or walk.model.settled, 1):
        held.message.ctx.pop(NO_JSON, None)
        letter = _letter(draw, held)
        await walk.fails(LeaseLostError, held.at, "bury", held.message, letter)


async def dead_letters(walk: Walk, draw: Draw) -> None:
    """List the letters of a queue: all, some, or those of some ids."""
    name, at = walk.queue(draw), draw.randrange(CONNECTIONS)
    way = draw.randrange(3)
    if way == 0:
        await letters_agree(walk, at, name)
    elif way == 1:
        await letters_agree(walk, at, name, limit=draw.randint(1, 5))
    else:
        await letters_agree(walk, at, name, ids=_ids(walk, draw, name))


async def requeue_dead(walk: Walk, draw: Draw) -> None:
    """Put letters back: those that hold a message, each once."""
    name = walk.queue(draw)
    queue, ids = walk.model.queues[name], _ids(walk, draw, name)
    count = await walk.call(draw.randrange(CONNECTIONS), "requeue_dead", name, ids)
    back = [letter for id_, letter in queue.dead.items() if id_ in ids]
    messages = [message for letter in back if (message := revived(letter)) is not None]
    walk.model.put(messages, "requeue_dead", walk.span)
    for message in messages:
        del queue.dead[message.id]
    differ("count of requeue_dead()", count, len(messages))
    await letters_agree(walk, draw.randrange(CONNECTIONS), name)


async def delete_dead(walk: Walk, draw: Draw) -> None:
    """Forget letters, each once."""
    name = walk.queue(draw)
    queue, ids = walk.model.queues[name], _ids(walk, draw, name)
    count = await walk.call(draw.randrange(CONNECTIONS), "delete_dead", name, ids)
    gone = set(ids) & set(queue.dead)
    for id_ in gone:
        del queue.dead[id_]
    differ("count of delete_dead()", count, len(gone))
    await letters_agree(walk, draw.randrange(CONNECTIONS), name)


async def letters_agree(
    walk: Walk, at: int, name: str, ids: Sequence[str] | None = None, limit: int = 1000
) -> None:
    """dead_letters() lists what was buried, the newest first."""
    after = walk.last
    listed = await walk.look(at, "dead_letters", name, ids=ids, limit=limit)
    newest = list(walk.model.queues[name].dead.values())[::-1]
    mine = [letter for letter in newest if ids is None or letter.id in ids][:limit]
    what = f"letters after a {after}"
    differ(what, [letter.id for letter in listed], [letter.id for letter in mine])
    for letter, expected in zip(listed, mine, strict=True):
        if letter.to_json() != expected.to_json():
            raise PromiseError(what, f"that of {cut(letter.id)} is not as it was written")


def _letter(draw: Draw, held: Held) -> DeadLetter:
    message, text = held.message, draw.choice(TEXTS)
    letter = DeadLetter(message.id, held.queue, draw.choice(REASONS), time.time(), message)
    letter.error_type, letter.error = "ValueError", text
    letter.traceback, letter.tries = draw.choice(TEXTS), draw.randrange(5)
    if draw.one_in(6):
        letter.reason, letter.message, letter.body = "undecodable", None, text
    return letter


def _ids(walk: Walk, draw: Draw, name: str) -> list[str]:
    ids = draw.some(list(walk.model.queues[name].dead), 8)
    return [*ids, *draw.some(STRANGERS, 2), *draw.some(ids, 1)]
