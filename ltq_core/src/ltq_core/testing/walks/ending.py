"""What must be true after every step of a walk, and at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltq_core.testing.walks.consuming import take
from ltq_core.testing.walks.letters import letters_agree
from ltq_core.testing.walks.publishing import BURST
from ltq_core.testing.walks.settling import settle
from ltq_core.testing.walks.walk import CONNECTIONS, PromiseError, cut, shown

if TYPE_CHECKING:
    from ltq_core.testing.walks.walk import Walk


async def sizes_agree(walk: Walk) -> None:
    """size() counts what waits."""
    after = walk.last
    sizes = await walk.run(f"size() of {shown(walk.names)}", "size", walk.sizes())
    for name, size in zip(walk.names, sizes, strict=True):
        if size != (mine := len(walk.model.queues[name].waiting)):
            what = f"that of {cut(name)} is {size}, and should be {mine}"
            raise PromiseError(f"size after a {after}", what)
    walk.unsay(after)


async def leave(walk: Walk) -> None:
    """Close all connections: what is held waits."""
    for at in range(CONNECTIONS):
        await walk.call(at, "close")
        walk.model.close(at)


async def end(walk: Walk) -> None:
    """All that is due comes, in order, and no more; then nothing is left."""
    await leave(walk)
    for name in walk.names:
        await _empty(walk, name)
    await sizes_agree(walk)
    await leave(walk)


async def _empty(walk: Walk, name: str) -> None:
    queue = walk.model.queues[name]
    if queue.paused:
        await walk.call(0, "resume", name)
        queue.paused = False
    while walk.comes_soon([name]):
        await take(walk, 0, [name], 2 * BURST)
        await settle(walk, 0, walk.of(0))
    await sizes_agree(walk)
    await walk.call(0, "clear", name)
    walk.model.clear(name)
    if queue.dead:
        await letters_agree(walk, 0, name)
        await walk.call(0, "delete_dead", name, list(queue.dead))
        queue.dead.clear()
