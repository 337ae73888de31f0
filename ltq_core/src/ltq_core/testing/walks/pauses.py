"""The steps of a walk with pauses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltq_core.testing.walks.walk import CONNECTIONS, differ

if TYPE_CHECKING:
    from ltq_core.testing.walks.draws import Draw
    from ltq_core.testing.walks.walk import Walk


async def pause(walk: Walk, draw: Draw) -> None:
    """Let a queue hand out nothing."""
    name = walk.queue(draw)
    await walk.call(draw.randrange(CONNECTIONS), "pause", name)
    walk.model.queues[name].paused = True


async def resume(walk: Walk, draw: Draw) -> None:
    """Let a queue hand out messages again, paused or not."""
    name = walk.queue(draw)
    await walk.call(draw.randrange(CONNECTIONS), "resume", name)
    walk.model.queues[name].paused = False


async def paused(walk: Walk, draw: Draw) -> None:
    """Ask each queue whether it is paused."""
    after = walk.last
    for name in walk.names:
        is_paused = await walk.look(draw.randrange(CONNECTIONS), "paused", name)
        differ(f"paused() after a {after}", is_paused, walk.model.queues[name].paused)
