"""Hands out messages in one event loop: which queues to ask, and when to look again."""

from __future__ import annotations

import asyncio
import heapq
from typing import TYPE_CHECKING

from ltq_redis.queue import NEVER, Done, QueueState, receipt_of, still_leased

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ltq_core import Message
    from ltq_redis.claims import Claims
    from ltq_redis.waiter import Waiter

# A suspect runs alone. While one waits and this worker is busy, it claims nothing for up
# to DRAIN seconds of every ROUND, so that short tasks let it come to rest. Guesses.
DRAIN, ROUND = 5.0, 30.0
LOOK_AGAIN = 0.25

# While claims go on finding messages nobody waits for tokens, and other queues would starve.
# They are looked at once in LOOK_ROUND seconds, and for at most a tenth of the time.
LOOK_ROUND, LOOK_SHARE = 0.05, 10

# The part of the free slots that may be kept for messages whose reserved time is near; more
# are claimed once half of these are left, or each would cost a claim of its own.
KEPT = 2


class Consumer:
    """What `Broker.consume_many` does, for one loop."""

    def __init__(self, claims: Claims, waiter: Waiter, queues: dict[str, QueueState]) -> None:
        self._claims = claims
        self._waiter = waiter
        self._queues = queues
        self._loop = asyncio.get_running_loop()
        self._turn = 0
        self._look_at = 0.0

    async def take(self, queues: Sequence[QueueState], limit: int, done: Done) -> list[Message]:
        """Settle *done*, then wait for messages; see `Broker.consume_many`."""
        while True:
            if not done and (messages := self._pop(queues, limit)):
                return messages
            room, ahead = limit - self._stock(queues), max(1, limit // KEPT)
            held_back = room <= 0 or self._held_back()
            asked = self._unfilled(queues, ahead)
            ready = [] if held_back else await self._find(asked)
            if done or ready:
                await self._claim(ready, room, ahead, done)
                done = {}
            elif held_back:
                await self._waiter.rest(self._end_of_rest())
            else:
                await self._waiter.wait(queues, self._next_look(asked))
                self._look_at = self._loop.time() + LOOK_ROUND

    def unreturned(self) -> list[Message]:
        """Take out what was claimed but not returned yet."""
        messages = [message for _, _, message in self._claims.timed]
        self._claims.timed.clear()
        for queue in self._queues.values():
            messages += queue.claimed
            queue.claimed.clear()
        return still_leased(messages)

    async def _claim(
        self, ready: Sequence[QueueState], limit: int, ahead: int, done: Done
    ) -> None:
        try:
            await self._claims.claim(ready, limit, ahead, done)
        except asyncio.CancelledError:
            self._waiter.poke()  # what this call leased is for whoever else waits
            raise

    def _pop(self, queues: Sequence[QueueState], limit: int) -> list[Message]:
        now, timed = self._loop.time(), self._claims.timed
        while timed and timed[0][0] <= now:
            at, _, message = heapq.heappop(timed)
            queue = receipt_of(message).batch.queue
            queue.start_late(now - at, now)
            queue.claimed.append(message)
        messages: list[Message] = []
        for queue in queues:
            messages += queue.hand_out(limit - len(messages))
        return messages

    def _stock(self, queues: Sequence[QueueState]) -> int:
        """Messages that are leased and wait for a caller, or for their slot."""
        timed = self._claims.timed
        return sum(len(queue.claimed) for queue in queues) + sum(
            receipt_of(message).batch.queue in queues for _, _, message in timed
        )

    def _held_back(self) -> bool:
        """Whether nothing may be claimed now, for a suspect's sake."""
        claims = self._claims
        return claims.alone() or bool(
            claims.suspicious and self._resting() and not claims.holds_nothing()
        )

    def _unfilled(self, queues: Sequence[QueueState], ahead: int) -> Sequence[QueueState]:
        """Those of *queues* that may bring more: slots are reserved for few messages."""
        if len(self._claims.timed) <= ahead // 2:
            return queues
        return [queue for queue in queues if not queue.paced]

    async def _find(self, queues: Sequence[QueueState]) -> list[QueueState]:
        """The queues to ask now, where another one may have got messages meanwhile."""
        ready = self._to_ask(queues)
        began = self._loop.time()
        if ready and len(ready) < len(queues) and began >= self._look_at:
            await self._waiter.look(queues)
            now = self._loop.time()
            self._look_at = now + max(LOOK_ROUND, LOOK_SHARE * (now - began))
            ready = self._to_ask(queues)
        return ready

    def _to_ask(self, queues: Sequence[QueueState]) -> list[QueueState]:
        """The queues where a claim may find something, another one first each time."""
        suspicious = self._claims.suspicious
        idle = bool(suspicious) and self._claims.holds_nothing()
        now = self._loop.time()
        ready = [
            queue
            for queue in queues
            if queue.ready or queue.due <= now or (idle and queue in suspicious)
        ]
        if len(ready) > 1:
            self._turn += 1
            cut = self._turn % len(ready)
            ready = ready[cut:] + ready[:cut]
        return ready

    def _resting(self) -> bool:
        """Whether it is time to claim nothing, for a suspect's sake."""
        return (self._loop.time() - self._claims.suspects_since) % ROUND < DRAIN

    def _end_of_rest(self) -> float:
        """When to see again whether something may be claimed, on the loop's clock."""
        timed = self._claims.timed
        return min(self._loop.time() + LOOK_AGAIN, timed[0][0] if timed else NEVER)

    def _next_look(self, queues: Sequence[QueueState]) -> float:
        """When something is due, on the loop's clock."""
        due = min((queue.due for queue in queues), default=NEVER)
        if self._claims.suspicious:
            due = min(due, self._loop.time() + LOOK_AGAIN)
        timed = self._claims.timed
        return min(due, timed[0][0]) if timed else due
