"""The steps of a walk with unique keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltq_core.testing.walks.draws import SOON
from ltq_core.testing.walks.model import Holder, Span, plain
from ltq_core.testing.walks.publishing import scribble
from ltq_core.testing.walks.walk import CONNECTIONS, PromiseError, cut

if TYPE_CHECKING:
    from ltq_core.testing.walks.draws import Draw
    from ltq_core.testing.walks.walk import Walk

HOLDS = (0, 0, 0, *SOON, 3600.0)
"""Seconds for which a key is held at least."""

_NONE = Span(float("-inf"), float("-inf"))


async def publish_unique(walk: Walk, draw: Draw) -> None:
    """Send a message with a key: it is stored if no other one holds that."""
    name, key = walk.queue(draw), draw.choice(walk.keys)
    message, hold, delay = walk.new(draw, name), draw.choice(HOLDS), draw.delay()
    message.ctx["unique"] = key
    at, sent = draw.randrange(CONNECTIONS), plain(message)
    stands = await walk.call(at, "publish_unique", message, key, hold=hold, delay=delay)
    holders = walk.model.queues[name].keys
    _is_holder(walk, holders.get(key), stands, message.id, cut(key))
    if stands == message.id:
        due = walk.span.after(max(delay, 0))
        [entry] = walk.model.put([sent], "publish_unique", due, delay)
        entry.key = key
        holders[key] = Holder(message.id, walk.span.after(hold) if hold else _NONE, entry)
    scribble(message)


async def publish_holder_again(walk: Walk, draw: Draw) -> None:
    """Send the holder of a key again while it waits, as after a lost answer."""
    waiting = walk.model.queues[walk.queue(draw)].waiting
    for entry in draw.some([entry for entry in waiting if entry.key is not None], 1):
        again, key = plain(entry.message), entry.key
        stands = await walk.call(draw.randrange(CONNECTIONS), "publish_unique", again, key)
        if stands != again.id:
            raise PromiseError("holder sent again", f"{cut(stands)} stands, not itself")


async def publish_stray(walk: Walk, draw: Draw) -> None:
    """Send a message that names a key and does not hold it."""
    message = walk.new(draw, walk.queue(draw))
    message.ctx["unique"] = draw.choice(walk.keys)
    await walk.call(draw.randrange(CONNECTIONS), "publish", plain(message))
    walk.model.put([message], "publish", walk.span)


async def publish_unique_no_json(walk: Walk, draw: Draw) -> None:
    """What JSON cannot say is refused, and takes no key."""
    message, key = walk.new(draw, walk.queue(draw)), draw.choice(walk.keys)
    if key not in walk.model.queues[message.task_name].keys:
        message.ctx.update({"unique": key, "no JSON": object()})
        await walk.refuses(draw.randrange(CONNECTIONS), "publish_unique", message, key)


def _is_holder(walk: Walk, holder: Holder | None, stands: str, own: str, key: str) -> None:
    """Fail unless *stands* is who may hold the key, as far as that is certain."""
    if holder is None:
        allowed = {own: "nobody"}
    elif holder.entry is not None or walk.span.surely_before(holder.until):
        allowed = {holder.id: cut(holder.id)}
    elif holder.until.surely_before(walk.span):
        allowed = {own: "nobody any more"}
    else:
        allowed = {own: "nobody", holder.id: cut(holder.id)}
    if stands not in allowed:
        fate = "" if holder is None else f": {cut(holder.id)} {walk.model.fates[holder.id]}"
        who = f"{next(iter(allowed.values()))} holds it{fate}"
        raise PromiseError("unique key", f"{cut(stands)} stands for {key}, though {who}")
