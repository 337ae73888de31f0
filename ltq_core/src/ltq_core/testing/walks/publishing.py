"""The steps of a walk that every broker can go: what producers do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltq_core.testing.walks.model import plain
from ltq_core.testing.walks.walk import CONNECTIONS, Walk

if TYPE_CHECKING:
    from ltq_core.message import Message
    from ltq_core.testing.walks.draws import Draw

BURST = 150
"""More messages than a store reads at once."""


async def publish(walk: Walk, draw: Draw) -> None:
    """Send one message; what is done to it later is not stored."""
    message, delay = walk.new(draw, walk.queue(draw)), draw.delay()
    sent = plain(message)
    await walk.call(draw.randrange(CONNECTIONS), "publish", message, delay)
    walk.model.put([sent], "publish", walk.span.after(max(delay, 0)), delay)
    scribble(message)


async def publish_many(walk: Walk, draw: Draw) -> None:
    """Send some messages, one of them perhaps named twice."""
    messages = [walk.new(draw, walk.queue(draw)) for _ in range(draw.randint(0, 6))]
    again = draw.some(messages, 1) if draw.one_in(4) else []
    at, delay, sent = draw.randrange(CONNECTIONS), draw.delay(), [*map(plain, messages)]
    await walk.call(at, "publish_many", [*messages, *again], delay=delay)
    walk.model.put(sent, "publish_many", walk.span.after(max(delay, 0)), delay)
    for message in messages:
        scribble(message)


async def publish_burst(walk: Walk, draw: Draw) -> None:
    """Send many messages."""
    name = walk.queue(draw)
    messages = [walk.new(draw, name) for _ in range(BURST)]
    sent = [*map(plain, messages)]
    await walk.call(draw.randrange(CONNECTIONS), "publish_many", messages)
    walk.model.put(sent, "publish_many", walk.span)


async def publish_again(walk: Walk, draw: Draw) -> None:
    """Send what waits already, as after a lost answer: it stays at its place."""
    for entry in draw.some(walk.model.queues[walk.queue(draw)].waiting, 1):
        at, again = draw.randrange(CONNECTIONS), plain(entry.message)
        if draw.one_in(2):
            await walk.call(at, "publish_many", [again], draw.delay())
        else:
            await walk.call(at, "publish", again, draw.delay())


async def publish_no_json(walk: Walk, draw: Draw) -> None:
    """What JSON cannot say is refused, and not stored."""
    message = walk.new(draw, walk.queue(draw))
    message.kwargs["no JSON"] = object()
    at, many = draw.randrange(CONNECTIONS), draw.one_in(2)
    call = ("publish_many", [message]) if many else ("publish", message)
    await walk.refuses(at, *call)


def scribble(message: Message) -> None:
    """Change *message*, to its depth: nothing that is stored may change with it."""
    for part in (*message.args, *message.kwargs.values(), *message.ctx.values()):
        if isinstance(part, list):
            part.append("scribbled")
        elif isinstance(part, dict):
            part["scribbled"] = True
    message.ctx["scribbled"] = True
