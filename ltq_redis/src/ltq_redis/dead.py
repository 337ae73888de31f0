"""Dead letters: a sorted set of letters, scored by the time of death."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltq_core import DecodeError
from ltq_core.abilities import DeadLetter, revived
from ltq_redis.scripts import REVIVE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from ltq_redis.keys import QueueKeys
    from ltq_redis.link import Link

# Letters read in one call; a letter may take some ten kilobytes.
PAGE = 100


async def letters(
    link: Link, keys: QueueKeys, ids: Collection[str] | None, limit: int
) -> list[DeadLetter]:
    """See `DeadLetters.dead_letters`."""
    found: list[DeadLetter] = []
    async for _, letter in _scan(link, keys):
        if ids is None or letter.id in ids:
            found.append(letter)
            if len(found) == limit:
                break
    return found


async def requeue(link: Link, keys: QueueKeys, ids: Collection[str]) -> int:
    """See `DeadLetters.requeue_dead`."""
    count = 0
    for raw, letter in [pair async for pair in _scan(link, keys)]:
        message = revived(letter) if letter.id in ids else None
        if message is not None:
            count += await _revive(link, keys, raw, message.to_json())
    return count


async def delete(link: Link, keys: QueueKeys, ids: Collection[str]) -> int:
    """See `DeadLetters.delete_dead`."""
    count = 0
    for raw, letter in [pair async for pair in _scan(link, keys)]:
        if letter.id in ids:
            count += await _revive(link, keys, raw, b"")
    return count


async def _revive(link: Link, keys: QueueKeys, raw: bytes, message: bytes) -> int:
    return int(await link.run(REVIVE, [keys.queue, keys.wake, keys.dead], [raw, message]))


async def _scan(link: Link, keys: QueueKeys) -> AsyncIterator[tuple[bytes, DeadLetter]]:
    """The letters with their bytes, the newest first; what is no letter is left out."""
    start = 0
    while raws := await link.call("ZREVRANGE", keys.dead, start, start + PAGE - 1):
        start += PAGE
        for raw in raws:
            try:
                yield raw, DeadLetter.from_json(raw)
            except DecodeError:
                continue
