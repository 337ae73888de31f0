"""Keys that let only one message wait or run at a time."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush


@dataclass(slots=True)
class _Holder:
    id: str
    until: float
    alive: bool = True


class UniqueKeys:
    """The keys of one queue, each with the id of the message that holds it."""

    def __init__(self) -> None:
        self._holders: dict[str, _Holder] = {}
        self._ends: list[tuple[float, str]] = []

    def hold(self, key: str, message_id: str, until: float, now: float) -> str | None:
        """Let a message hold *key* until it ends and at least until *until*.

        Returns:
            The id of the message that holds it already, or None.
        """
        self._expire(now)
        if (holder := self._holders.get(key)) is not None:
            return holder.id
        self._holders[key] = _Holder(message_id, until)
        return None

    def release(self, key: str, now: float) -> None:
        """The message that held *key* came to its end."""
        holder = self._holders[key]
        holder.alive = False
        if holder.until <= now:
            del self._holders[key]
        else:
            heappush(self._ends, (holder.until, key))

    def held(self, now: float) -> int:
        """How many keys are held."""
        self._expire(now)
        return len(self._holders)

    def _expire(self, now: float) -> None:
        # A key may have been taken again since its end was noted: by a live holder.
        while self._ends and self._ends[0][0] <= now:
            holder = self._holders.get(key := heappop(self._ends)[1])
            if holder is not None and not holder.alive and holder.until <= now:
                del self._holders[key]
