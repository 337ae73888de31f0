"""The steps of a walk that look into queues."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltq_core.testing.lab import CLOCKS
from ltq_core.testing.walks.arrivals import is_whole
from ltq_core.testing.walks.publishing import BURST
from ltq_core.testing.walks.walk import CONNECTIONS, PromiseError, cut, differ

if TYPE_CHECKING:
    from ltq_core.abilities import QueueStats
    from ltq_core.message import Message
    from ltq_core.testing.walks.draws import Draw
    from ltq_core.testing.walks.model import Entry, Queue
    from ltq_core.testing.walks.walk import Walk


async def queues(walk: Walk, draw: Draw) -> None:
    """List the queues that hold anything."""
    names = await walk.look(draw.randrange(CONNECTIONS), "queues")
    model = walk.model
    running = {held.queue for held in model.held}
    mine = {
        name
        for name, queue in model.queues.items()
        if queue.waiting or queue.dead or name in running
    }
    differ("queues()", [n for n in names if n.startswith(walk.prefix)], sorted(mine))


async def stats(walk: Walk, draw: Draw) -> None:
    """Ask for the figures of a queue."""
    name, after = walk.queue(draw), walk.last
    figures = await walk.look(draw.randrange(CONNECTIONS), "stats", name)
    queue = walk.model.queues[name]
    running = [held for held in walk.model.held if held.queue == name]
    differ(f"stats.waiting after a {after}", figures.waiting, len(queue.waiting))
    differ(f"stats.running after a {after}", figures.running, len(running))
    differ(f"stats.dead after a {after}", figures.dead, len(queue.dead))
    differ(f"stats.paused after a {after}", figures.paused, queue.paused)
    _is_due(walk, queue, figures)
    _is_oldest(walk, queue, figures.oldest_due)


def _is_due(walk: Walk, queue: Queue, figures: QueueStats) -> None:
    dues = [entry.due for entry in queue.waiting]
    least = sum(due.surely_before(walk.span) for due in dues)
    most = len(dues) - sum(walk.span.surely_before(due) for due in dues)
    if not least <= figures.due <= most:
        raise PromiseError("stats.due", f"it is {figures.due}, and should be {least} to {most}")


def _is_oldest(walk: Walk, queue: Queue, age: float | None) -> None:
    """Fail unless the oldest due message has been waiting for so long."""
    first = min((entry.due.began for entry in queue.waiting), default=float("inf"))
    last = min((entry.due.ended for entry in queue.waiting), default=float("inf"))
    least, most = walk.span.began - last - CLOCKS, walk.span.ended - first + CLOCKS
    if least > 0 if age is None else not least <= age <= most:
        what = f"it is {age}, and should be between {least:.3g} and {most:.3g}"
        raise PromiseError("stats.oldest_due", what)


async def peek(walk: Walk, draw: Draw) -> None:
    """Look at what waits, the next due first."""
    name, limit = walk.queue(draw), draw.choice((1, 3, 10, 2 * BURST))
    shown = await walk.look(draw.randrange(CONNECTIONS), "peek", name, limit)
    waiting = list(walk.model.queues[name].waiting)
    differ("length of peek()", len(shown), min(limit, len(waiting)))
    for message in shown:
        waiting.remove(_seen(waiting, message))


def _seen(waiting: list[Entry], message: Message) -> Entry:
    """Which of those that wait *message* shows; fails if another one comes before it."""
    entry = next((each for each in waiting if each.message.id == message.id), None)
    if entry is None:
        raise PromiseError("peek()", f"{cut(message.id)} does not wait, or is shown twice")
    before = [other for other in waiting if other.surely_before(entry)]
    if before:
        what = f"{cut(message.id)} stands before {cut(before[0].message.id)}"
        raise PromiseError("order of peek()", what)
    is_whole(entry, message, " at a look")
    differ("delivery at a look", message.delivery, None)
    return entry
