"""The dead letters of one queue, bounded in number and age."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from ltq_core import DeadLetter

if TYPE_CHECKING:
    from collections.abc import Collection

    from ltq_memory.settings import Settings


class _Grave(NamedTuple):
    buried_at: float
    letter: bytes


class Graveyard:
    """Dead letters by message id, the oldest first; bytes, so that nothing is shared."""

    def __init__(self) -> None:
        self._graves: dict[str, _Grave] = {}

    def __len__(self) -> int:
        return len(self._graves)

    def bury(self, letter_id: str, letter: bytes, now: float, settings: Settings) -> None:
        """Keep *letter*, in place of any other of its id."""
        self._graves.pop(letter_id, None)
        self._graves[letter_id] = _Grave(now, letter)
        self.expire(now, settings)

    def expire(self, now: float, settings: Settings) -> None:
        """Forget what is older or more than *settings* allow."""
        while self._graves:
            oldest = next(iter(self._graves))
            age = now - self._graves[oldest].buried_at
            if len(self._graves) <= settings.dead_letters and age <= settings.dead_letter_age:
                return
            del self._graves[oldest]

    def letters(self, ids: Collection[str] | None, limit: int) -> list[DeadLetter]:
        """Up to *limit* letters, the newest first; with *ids*, only those."""
        wanted = self._graves if ids is None else set(ids)
        found = (grave for id_, grave in reversed(self._graves.items()) if id_ in wanted)
        return [DeadLetter.from_json(grave.letter) for grave in islice(found, max(limit, 0))]

    def remove(self, message_id: str) -> bool:
        """Forget one letter; whether there was one."""
        return self._graves.pop(message_id, None) is not None
