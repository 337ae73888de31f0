"""Looks into queues, and clears them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from ltq_core import (
    BrokerError,
    BrokerUnavailableError,
    DecodeError,
    LiveWorker,
    Message,
    QueueStats,
    get_logger,
)
from ltq_redis.reply import unique_key
from ltq_redis.scripts import CLEAR, TOKEN, UNLIMIT

if TYPE_CHECKING:
    from ltq_redis.keys import QueueKeys
    from ltq_redis.link import Link

log = get_logger("redis")

PAGE = 1000


async def time(link: Link) -> float:
    """Seconds since the epoch on the server's clock."""
    seconds, micros = await link.call("TIME")
    return int(seconds) + int(micros) / 1e6


async def size(link: Link, keys: QueueKeys) -> int:
    """Messages that wait: in the queue, among the suspects, or for a limit."""
    total = 0
    for key in (keys.queue, keys.suspects, keys.parked, keys.reserved):
        total += await link.call("ZCARD", key)
    return total


async def clear(link: Link, keys: QueueKeys) -> None:
    """Remove what waits, and the unique keys that it holds, a page an atomic step."""
    for key in (keys.queue, keys.suspects, keys.parked, keys.reserved):
        while members := await link.call("ZRANGE", key, 0, PAGE - 1):
            names = [key, keys.queue, keys.wake, keys.deliveries, keys.running]
            names += [keys.parked, keys.lines]
            first = len(names)
            args: list[Any] = []
            for member in members:
                # What stands parked or reserved has a prefix of its own before the bytes.
                id_, held = unique_key(member[member.rfind(b"\0") + 1 :])
                names += [keys.unique(held)] if id_ else []
                args += (member, len(names) - first if id_ else 0, id_)
            await link.run(CLEAR, names, args)


async def queues(link: Link, prefix: str) -> set[str]:
    """The names of all queues of one server, from their keys."""
    names: set[str] = set()
    for kind in ("queue:", "ltq:dead:", "ltq:suspects:", "ltq:workers:", "ltq:parked:"):
        start, cursor = len(prefix) + len(kind), b"0"
        while True:
            cursor, found = await link.call(
                "SCAN", cursor, "MATCH", f"{prefix}{kind}*", "COUNT", PAGE
            )
            names.update(key.decode(errors="replace")[start:] for key in found)
            if cursor == b"0":
                break
    return {name.replace("{", "").replace("}", "") for name in names}


async def stats(link: Link, keys: QueueKeys) -> QueueStats:
    """Figures of one queue; each is exact, together they are a moment apart."""
    now = await time(link)
    due = 0
    for key in (keys.queue, keys.suspects):
        due += await link.call("ZCOUNT", key, "-inf", f"{now:.6f}")
    for key in (keys.parked, keys.reserved):  # what waits for a limit is due
        due += await link.call("ZCARD", key)
    first = await _first(link, keys, 1)
    running = sum(worker.running for worker in await workers(link, keys))
    return QueueStats(
        waiting=await size(link, keys),
        due=due,
        running=running,
        dead=await link.call("ZCARD", keys.dead),
        oldest_due=max(0.0, now - first[0][0]) if due and first else None,
        paused=bool(await link.call("EXISTS", keys.paused)),
    )


async def peek(link: Link, keys: QueueKeys, limit: int) -> list[Message]:
    """The next messages of the queue, as far as `_first` can tell."""
    messages = []
    for _, raw in await _first(link, keys, limit) if limit > 0 else ():
        with contextlib.suppress(DecodeError):
            messages.append(Message.from_json(raw))
    return messages


async def _first(link: Link, keys: QueueKeys, limit: int) -> list[tuple[float, bytes]]:
    """What waits, the next due first, up to *limit*, with its due times.

    Of what waits for a limit, which stands in order of its keys, a page is looked at.
    """
    found: list[tuple[float, bytes]] = []
    for key in (keys.queue, keys.suspects):
        rows = await link.call("ZRANGE", key, 0, limit - 1, "WITHSCORES")
        found += zip(map(float, rows[1::2]), rows[::2], strict=True)
    for key in (keys.parked, keys.reserved):
        found += map(_opened, await link.call("ZRANGE", key, 0, PAGE - 1))
    return sorted(found)[:limit]


def _opened(member: bytes) -> tuple[float, bytes]:
    """When a member was due that waits for a limit, and its bytes; see ``limits.lua``."""
    before, _, raw = member.rpartition(b"\0")
    return float(before.rpartition(b"\0")[2].lstrip(b"p")), raw


async def unlimit(link: Link, keys: QueueKeys) -> None:
    """Return to the queue what waits for a limit that nobody declares any more."""
    names = [keys.queue, keys.wake, keys.running, keys.parked, keys.reserved, keys.lines]
    try:
        while await link.run(UNLIMIT, names, []):
            pass
    except BrokerUnavailableError:
        raise
    except BrokerError as error:  # a key of the wrong type: other queues go on
        log.error("What waits for a limit of '%s' stays there: %s", keys.written, error)


async def resume(link: Link, keys: QueueKeys) -> None:
    """End a pause, and wake somebody."""
    await link.call("DEL", keys.paused)
    limited = [keys.parked, keys.reserved, keys.wake]
    await link.run(TOKEN, [keys.queue, keys.suspects, keys.wake, *limited], [])


async def workers(link: Link, keys: QueueKeys) -> list[LiveWorker]:
    """Who holds a lease on the queue; a worker holds one for each batch."""
    now = await time(link)
    rows: list[Any] = await link.call("ZRANGE", keys.workers, 0, -1, "WITHSCORES")
    found: dict[str, LiveWorker] = {}
    for member, deadline in zip(rows[::2], rows[1::2], strict=True):
        lease, left = member.decode(errors="replace"), float(deadline) - now
        if left > 0:
            name = lease.rpartition(".")[0] or lease
            held = await link.call("ZCARD", keys.processing(lease))
            before = found.get(name) or LiveWorker(name, 0, 0)
            found[name] = LiveWorker(name, before.running + held, max(before.expires_in, left))
    return list(found.values())
