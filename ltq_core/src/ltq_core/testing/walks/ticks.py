"""The steps of a walk with ticks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltq_core.testing.lab import CLOCKS
from ltq_core.testing.walks.model import plain
from ltq_core.testing.walks.publishing import scribble
from ltq_core.testing.walks.walk import CONNECTIONS, PromiseError, differ

if TYPE_CHECKING:
    from ltq_core.testing.walks.draws import Draw
    from ltq_core.testing.walks.walk import Walk

_SINCE_EPOCH = 1_700_000_000.0


async def publish_tick(walk: Walk, draw: Draw) -> None:
    """Send a tick: it is stored if it is later than its job's last one."""
    name, job = walk.queue(draw), draw.choice(walk.keys)
    message, ticks = walk.new(draw, name), walk.model.queues[name].ticks
    tick = ticks.get(job, _SINCE_EPOCH) + draw.choice((-60.0, -0.25, 0.0, 0.25, 1.0, 3600.0))
    at, sent = draw.randrange(CONNECTIONS), plain(message)
    is_new = await walk.call(at, "publish_tick", job, tick, message)
    differ("answer of publish_tick()", is_new, job not in ticks or tick > ticks[job])
    if is_new:
        ticks[job] = tick
        walk.model.put([sent], "publish_tick", walk.span)
    scribble(message)


async def publish_tick_no_json(walk: Walk, draw: Draw) -> None:
    """What JSON cannot say is refused, and is no tick."""
    message, job = walk.new(draw, walk.queue(draw)), draw.choice(walk.keys)
    message.kwargs["no JSON"] = object()
    tick = 2 * _SINCE_EPOCH
    await walk.refuses(draw.randrange(CONNECTIONS), "publish_tick", job, tick, message)
    await _is_last(walk, draw, message.task_name, job)


async def last_tick(walk: Walk, draw: Draw) -> None:
    """Ask for the last tick of a job."""
    await _is_last(walk, draw, walk.queue(draw), draw.choice(walk.keys))


async def ask_time(walk: Walk, draw: Draw) -> None:
    """Ask for the store's clock, which deliveries are stamped by."""
    at_store = await walk.look(draw.randrange(CONNECTIONS), "time")
    wrong = walk.clock.learn(at_store, walk.span)
    if wrong > CLOCKS:
        raise PromiseError("time()", f"it is {wrong:.3g} s beside that of deliveries")


async def _is_last(walk: Walk, draw: Draw, name: str, job: str) -> None:
    after = walk.last
    last = await walk.look(draw.randrange(CONNECTIONS), "last_tick", name, job)
    mine = walk.model.queues[name].ticks.get(job)
    differ(f"last_tick() after a {after}", last, mine)
