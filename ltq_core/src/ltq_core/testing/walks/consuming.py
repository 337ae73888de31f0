"""The steps of a walk that every broker can go: waiting for messages."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from ltq_core.testing.cancelling import cancelled, end
from ltq_core.testing.lab import CLOCKS
from ltq_core.testing.walks.arrivals import arrive
from ltq_core.testing.walks.draws import SOON
from ltq_core.testing.walks.model import Span, name_of
from ltq_core.testing.walks.publishing import BURST
from ltq_core.testing.walks.walk import CONNECTIONS, PromiseError, Walk, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ltq_core.message import Message
    from ltq_core.testing.walks.draws import Draw
    from ltq_core.testing.walks.model import Held
    from ltq_core.testing.walks.walk import Step

EMPTY = 12
"""Queues without messages that are waited for beside others."""

PAUSE = 0.005
"""Seconds within which a call mostly comes to its wait; if not, a walk sees less."""


async def consume(walk: Walk, draw: Draw) -> None:
    """Wait for one message."""
    name, at = walk.queue(draw), draw.randrange(CONNECTIONS)
    if walk.comes_soon([name]):
        arrive(walk, at, [name], [await walk.call(at, "consume", name)])


async def consume_many(walk: Walk, draw: Draw) -> None:
    """Settle some messages, and wait for others in several queues, most of them empty."""
    names, at = draw.sample(walk.names, draw.randint(1, 3)), draw.randrange(CONNECTIONS)
    if walk.comes_soon(names):
        if draw.one_in(4):
            names += [f"{walk.prefix}{number}" for number in range(EMPTY)]
            draw.shuffle(names)
        acks = [] if draw.one_in(3) else draw.some(walk.of(at), draw.choice((2, 2 * BURST)))
        await take(walk, at, names, draw.choice((1, 2, 5, 20, 2 * BURST)), acks)


async def take(
    walk: Walk, at: int, names: Sequence[str], limit: int, acks: Sequence[Held] = ()
) -> None:
    """Let a connection consume, and give back at once what it leased beyond that."""
    messages = [held.message for held in acks]
    got = await walk.call(at, "consume_many", names, limit, messages)
    for held in acks:
        walk.model.end(held, "was acked")
    span = walk.span
    await walk.look(at, "release")
    walk.span = span
    if any(each.delivery is not None and each.delivery.lease_lost for each in messages):
        raise PromiseError("acks of consume_many()", "one counts as lost that was held")
    _arrive(walk, at, names, limit, got)
    await _given_back(walk)


def woken_by(step: Step) -> Step:
    """The step of a connection that waits in vain until *step* is gone."""

    async def woken(walk: Walk, draw: Draw) -> None:
        at, name = draw.randrange(CONNECTIONS), walk.queue(draw)
        if walk.comes_soon([name]):
            return
        began = time.monotonic()
        waiting = asyncio.ensure_future(walk.broker(at).consume(name))
        try:
            walk.trace.append(f"{name_of(at)}.consume({shown(name)}) begins to wait")
            await asyncio.sleep(PAUSE)
            with walk.only(name):
                await step(walk, draw)
            if walk.comes_soon([name]):
                got = await walk.run(f"{name_of(at)} wakes", "waiting consume", waiting)
                walk.span = Span(began, walk.span.ended)
                arrive(walk, at, [name], [got])
        finally:
            await end([waiting])

    woken.__name__ = f"woken_by_{step.__name__}"
    return woken


async def let_time_pass(walk: Walk, draw: Draw) -> None:
    """Let what is delayed a little become due."""
    dues = [entry.due.ended for queue in walk.model.queues.values() for entry in queue.waiting]
    now = time.monotonic()
    soon = [due for due in dues if now < due <= now + max(SOON)]
    await asyncio.sleep(max(soon, default=now) + 2 * CLOCKS - now)


async def consume_and_be_cancelled(walk: Walk, draw: Draw) -> None:
    """Give up waiting: what the call leased is given back, soon."""
    names, at = draw.sample(walk.names, draw.randint(1, 3)), draw.randrange(CONNECTIONS)
    limit, turns = draw.choice((1, 5)), draw.randrange(40)
    broker = walk.broker(at)

    async def call() -> list[Message] | None:
        got = await cancelled(broker.consume_many(names, limit), turns)
        await broker.release()
        return got

    what = f"{name_of(at)}.consume_many({shown(names)}, {limit}), cancelled after {turns} turns"
    got = await walk.run(what, "consume_many", call())
    if got is not None:
        _arrive(walk, at, names, limit, got)
    await _given_back(walk)


async def _given_back(walk: Walk) -> None:
    """Let what a call leased beyond its answer wait again: brokers may finish that later.

    If it does not come, sizes that differ tell.
    """
    last, over = walk.last, time.monotonic() + walk.patience
    while time.monotonic() < over:
        agree = await walk.run("sizes", "size", walk.sizes_agree())
        walk.unsay(last)
        if agree:
            break
        await asyncio.sleep(PAUSE)


def _arrive(
    walk: Walk, at: int, names: Sequence[str], limit: int, got: Sequence[Message]
) -> None:
    if not 1 <= len(got) <= limit:
        raise PromiseError("limit", f"{len(got)} messages were handed out, not 1 to {limit}")
    arrive(walk, at, names, got)
