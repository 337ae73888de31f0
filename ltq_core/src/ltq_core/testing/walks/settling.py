"""The steps of a walk that every broker can go: settling, and emptying."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ltq_core.errors import LeaseLostError
from ltq_core.testing.walks.model import plain
from ltq_core.testing.walks.publishing import BURST, scribble
from ltq_core.testing.walks.walk import CONNECTIONS, PromiseError, Walk, cut

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ltq_core.message import Message
    from ltq_core.testing.walks.draws import Draw
    from ltq_core.testing.walks.model import Held

NO_JSON = "no JSON"


async def work(walk: Walk, draw: Draw) -> None:
    """Runs change their messages: nothing that is stored changes with them."""
    for held in draw.some(walk.model.held, 3):
        message = held.message
        message.args = (*message.args, draw.value())
        message.kwargs.update(draw.values())
        message.ctx.update(draw.values(), tries=message.ctx.get("tries", 0) + 1)
        scribble(message)


async def ack(walk: Walk, draw: Draw) -> None:
    """A run succeeded, whatever it made of its message."""
    for held in draw.some(walk.model.held, 1):
        if draw.one_in(3):
            held.message.ctx[NO_JSON] = object()
        await walk.call(held.at, "ack", held.message)
        walk.model.end(held, "was acked")


async def ack_many(walk: Walk, draw: Draw) -> None:
    """Several runs succeeded; what is held no more keeps none of them from it."""
    at = draw.randrange(CONNECTIONS)
    acks = draw.some(walk.of(at), 2 * BURST)
    old = draw.some([held for held in walk.model.settled if held.at == at], 1)
    await settle(walk, at, acks, old)


async def settle(walk: Walk, at: int, acks: Sequence[Held], old: Sequence[Held] = ()) -> None:
    """Ack what a connection holds, and what it holds no more."""
    lost = await walk.call(at, "ack_many", [held.message for held in [*old, *acks]])
    reported = {id(message) for message in lost}
    for held in old:
        if id(held.message) not in reported:
            what = f"{cut(held.message.id)} was settled already"
            raise PromiseError("answer of ack_many()", what)
    for held in acks:
        walk.model.end(held, "was acked")
        if id(held.message) in reported:
            raise PromiseError("answer of ack_many()", f"{cut(held.message.id)} was not lost")


async def nack(walk: Walk, draw: Draw) -> None:
    """Return some of what is held, as it is now."""
    for _ in range(draw.randint(1, 3)):
        await nack_one(walk, draw)


async def nack_one(walk: Walk, draw: Draw) -> None:
    """Return what is held, as it is now."""
    for held in draw.some(walk.model.held, 1):
        delay, now = draw.delay(), plain(held.message)
        await walk.call(held.at, "nack", held.message, delay)
        walk.model.nack(held, now, walk.span.after(max(delay, 0)), delay)
        scribble(held.message)


@contextmanager
def no_json(message: Message) -> Iterator[None]:
    """Meanwhile *message* holds what JSON cannot say."""
    message.ctx[NO_JSON] = object()
    try:
        yield
    finally:
        del message.ctx[NO_JSON]


async def nack_no_json(walk: Walk, draw: Draw) -> None:
    """What JSON cannot say is not returned: it is still held."""
    for held in draw.some(walk.model.held, 1):
        with no_json(held.message):
            await walk.refuses(held.at, "nack", held.message, draw.delay())


async def drop(walk: Walk, draw: Draw) -> None:
    """Give up what is held, whatever its run made of it."""
    for held in draw.some(walk.model.held, 1):
        if draw.one_in(3):
            held.message.ctx[NO_JSON] = object()
        await walk.call(held.at, "nack", held.message, draw.delay(), drop=True)
        walk.model.end(held, "was dropped")


async def settle_again(walk: Walk, draw: Draw) -> None:
    """Settle by an old delivery: that changes nothing, also if its message came again."""
    for held in draw.some(walk.model.returned() or walk.model.settled, 3):
        held.message.ctx.pop(NO_JSON, None)
        way = draw.choice(((), (draw.delay(),), (0, True)))
        method = "nack" if way else "ack"
        await walk.fails(LeaseLostError, held.at, method, held.message, *way)


async def publish_what_runs(walk: Walk, draw: Draw) -> None:
    """Send what is in flight, and end its run: it waits, and stays."""
    for held in draw.some([held for held in walk.model.held if held.entry.key is None], 1):
        again, delay = plain(held.entry.message), draw.delay()
        await walk.call(draw.randrange(CONNECTIONS), "publish", again, delay)
        span = walk.span
        await _finish(walk, draw, held)
        walk.model.put([again], "publish", span.after(max(delay, 0)), delay)


async def nack_what_was_published(walk: Walk, draw: Draw) -> None:
    """Return what was sent again while it ran: the two may become one. Then all is cleared."""
    for held in draw.some([held for held in walk.model.held if held.entry.key is None], 1):
        at, name = draw.randrange(CONNECTIONS), held.queue
        await walk.call(at, "publish", plain(held.entry.message))
        await walk.call(held.at, "nack", held.message)
        walk.model.nack(held, held.entry.message, walk.span, 0)
        size, least = await walk.call(at, "size", name), len(walk.model.queues[name].waiting)
        if not least <= size <= least + 1:
            what = f"it is {size}, and should be {least}, or one more"
            raise PromiseError("size after a nack of what was sent again", what)
        await walk.call(at, "clear", name)
        walk.model.clear(name)


async def _finish(walk: Walk, draw: Draw, held: Held) -> None:
    if draw.one_in(2):
        await walk.call(held.at, "ack", held.message)
    else:
        await walk.call(held.at, "nack", held.message, drop=True)
    walk.model.end(held, "was settled")


async def clear(walk: Walk, draw: Draw) -> None:
    """Empty a queue: what is in flight is still held."""
    name = walk.queue(draw)
    await walk.call(draw.randrange(CONNECTIONS), "clear", name)
    walk.model.clear(name)


async def close(walk: Walk, draw: Draw) -> None:
    """Close a connection, which is used again later: what it held waits, as it was."""
    at = draw.randrange(CONNECTIONS)
    await walk.call(at, "close")
    walk.model.close(at)
