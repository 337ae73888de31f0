"""What a message must be like that is handed out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltq_core.testing.lab import CLOCKS
from ltq_core.testing.walks.walk import PromiseError, cut, differ

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ltq_core.message import Delivery, Message
    from ltq_core.testing.walks.model import Entry
    from ltq_core.testing.walks.walk import Walk


def arrive(walk: Walk, at: int, names: Sequence[str], received: Sequence[Message]) -> None:
    """Take in what a connection was handed out; fails if it is not what was promised."""
    for message in received:
        entry = _waiting(walk, names, message)
        _is_next(walk, entry)
        is_whole(entry, message)
        _is_delivered(walk, entry, message.delivery)
        walk.model.hand_out(at, message, entry)


def _waiting(walk: Walk, names: Sequence[str], message: Message) -> Entry:
    name, queues = message.task_name, walk.model.queues
    if name not in names:
        raise PromiseError("queue of what is handed out", f"{cut(name)} is none of {names}")
    for entry in queues[name].waiting:
        if entry.message.id == message.id:
            return entry
    fate = walk.model.fates.get(message.id, "was never published")
    raise PromiseError("what is handed out", f"{cut(message.id)} {fate}, and came nevertheless")


def _is_next(walk: Walk, entry: Entry) -> None:
    queue = walk.model.queues[entry.message.task_name]
    if queue.paused:
        raise PromiseError("pause", f"{cut(entry.message.id)} of a paused queue was handed out")
    if entry.due.began - CLOCKS > walk.span.ended:
        early = entry.due.began - walk.span.ended
        raise PromiseError(f"delay of a {entry.by}", f"handed out {early:.3g} s too early")
    for other in queue.waiting:
        if other.surely_before(entry):
            what = f"{cut(entry.message.id)} came before {cut(other.message.id)}"
            raise PromiseError(f"order after a {entry.by}", f"{what}, which was due before it")


def is_whole(entry: Entry, message: Message, of: str = "") -> None:
    """Fail unless *message* is what was stored."""
    mine = entry.message
    differ(f"args{of} after a {entry.by}", message.args, mine.args)
    differ(f"kwargs{of} after a {entry.by}", message.kwargs, mine.kwargs)
    differ(f"ctx{of} after a {entry.by}", message.ctx, mine.ctx)


def _is_delivered(walk: Walk, entry: Entry, delivery: Delivery | None) -> None:
    if delivery is None:
        raise PromiseError("delivery", "a message that was handed out has none")
    differ("delivery.crashes", delivery.crashes, 0)
    differ("delivery.lease_lost", delivery.lease_lost, expected=False)
    wrong = walk.clock.learn(delivery.claimed_at, walk.span)
    if wrong > CLOCKS:
        raise PromiseError(
            "delivery.claimed_at", f"it is {wrong:.3g} s away from the call's time"
        )
    wrong = walk.clock.misses(delivery.due_at, entry.due)
    if abs(wrong) > CLOCKS:
        how = f"{abs(wrong):.3g} s too {'late' if wrong > 0 else 'early'}"
        raise PromiseError(f"delivery.due_at after a {entry.by}", f"it is {how}")
