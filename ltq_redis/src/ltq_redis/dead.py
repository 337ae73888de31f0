"""Dead letters: a hash of letters by their ids, and these by the time of death."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltq_core import DeadLetter, DecodeError, revived
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
    found = await _find(link, keys, ids)
    return [letter async for _, letter in _read(link, keys, found[:limit])]


async def requeue(link: Link, keys: QueueKeys, ids: Collection[str]) -> int:
    """See `DeadLetters.requeue_dead`."""
    count = 0
    async for raw, letter in _read(link, keys, (await _find(link, keys, ids))[::-1]):
        if (message := revived(letter)) is not None:
            count += await _revive(link, keys, letter.id, raw, message.to_json())
    return count


async def delete(link: Link, keys: QueueKeys, ids: Collection[str]) -> int:
    """See `DeadLetters.delete_dead`."""
    count = 0
    async for raw, letter in _read(link, keys, await _find(link, keys, ids)):
        count += await _revive(link, keys, letter.id, raw, b"")
    return count


async def _revive(link: Link, keys: QueueKeys, id_: str, letter: bytes, message: bytes) -> int:
    names = [keys.queue, keys.wake, keys.dead, keys.letters]
    return int(await link.run(REVIVE, names, [id_, letter, message]))


async def _find(link: Link, keys: QueueKeys, ids: Collection[str] | None) -> list[bytes]:
    """The ids that there are, of the newest letter first; with *ids*, only those.

    Read at once, so that none is missed or met twice while others come and go.
    """
    wanted = None if ids is None else {id_.encode(errors="surrogatepass") for id_ in ids}
    if wanted is not None and not wanted:
        return []
    found = await link.call("ZREVRANGE", keys.dead, 0, -1)
    return [id_ for id_ in found if wanted is None or id_ in wanted]


async def _read(
    link: Link, keys: QueueKeys, ids: list[bytes]
) -> AsyncIterator[tuple[bytes, DeadLetter]]:
    """The letters of *ids* with their bytes; what is gone, or is no letter, is left out."""
    for start in range(0, len(ids), PAGE):
        for raw in await link.call("HMGET", keys.letters, *ids[start : start + PAGE]):
            try:
                if raw is not None:
                    yield raw, DeadLetter.from_json(raw)
            except DecodeError:
                continue
