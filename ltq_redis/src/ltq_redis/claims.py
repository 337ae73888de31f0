"""The calls that lease messages and settle them in bulk."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from typing import TYPE_CHECKING, Any

from ltq_core import (
    BrokerError,
    BrokerUnavailableError,
    DecodeError,
    Message,
    get_logger,
    undecodable,
)
from ltq_redis.queue import AHEAD, NEVER, Batch, Done, QueueState, Receipt
from ltq_redis.reply import Found, open_message, text, unpack
from ltq_redis.scripts import CLAIM, CLAIM_LIMITED, RECOVER
from ltq_redis.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

    from ltq_core import DeadLetter, QueueLimits
    from ltq_redis.link import Link
    from ltq_redis.scripts import Script
    from ltq_redis.settings import Settings

    Bury = Callable[[Receipt, DeadLetter], Awaitable[object]]

log = get_logger("redis")

# Values of a reply before what differs from script to script: the messages, and now.
HEAD = 4
# Deliveries that ended with their worker from which on a message runs alone; as in Lua.
SUSPECT = 2
# How many seconds ahead slots are reserved where that keeps the only free place of a worker
# from other queues. A claim goes out when half of them are left, which must exceed the time
# it takes. A guess.
BRIEFLY = 0.01
# The server's clock is read off the quickest reply of the last FORGET seconds, since a slow
# one makes the server look late; a reply that puts it back by more than SET seconds means
# that it was set, or is another server's. Guesses.
FORGET, SET = 60.0, 1.0


class Claims:
    """Leases messages for one loop.

    A call whose reply is lost, or whose caller is cancelled, may have leased something:
    its batches are kept as unsure, and what they hold is adopted before the next claim.

    Attributes:
        timed: Messages with a reserved slot, by their time on the loop's clock.
        suspicious: Queues where a suspect waits for a worker that holds nothing.
        suspects_since: When the first of them was seen, on the loop's clock.
        turns: When this worker is to ask for slots.
    """

    def __init__(
        self, link: Link, settings: Settings, queues: dict[str, QueueState], bury: Bury
    ) -> None:
        self.timed: list[tuple[float, int, Message]] = []
        self.suspicious: set[QueueState] = set()
        self.suspects_since = NEVER
        self.turns = Turns(link)
        self._link = link
        self._lease = settings.lease
        self._queues = queues
        self._bury = bury
        self._loop = asyncio.get_running_loop()
        self._order = itertools.count()
        self._offset, self._read_at = 0.0, -FORGET
        self._bad: list[tuple[Batch, bytes, DecodeError, float]] = []

    def holds_nothing(self) -> bool:
        """Whether no message is leased here."""
        return next(self._holding(), None) is None

    def alone(self) -> bool:
        """Whether a suspect is held: nothing may run beside it."""
        held = list(itertools.islice(self._holding(), 2))
        return len(held) == 1 and any(
            message.delivery is not None and message.delivery.crashes >= SUSPECT
            for message in list(held[0].held.values())[:1]
        )

    def _holding(self) -> Iterator[Batch]:
        # Copies: the lease thread takes out what is lost.
        for queue in self._queues.values():
            yield from (batch for batch in list(queue.batches.values()) if batch.holds)

    async def ack(self, done: Done) -> None:
        """Settle *done* in bulk; marks those whose lease was lost."""
        await self._claim_plain((), 0, done)

    async def claim(
        self, ready: Sequence[QueueState], limit: int, ahead: int, done: Done
    ) -> None:
        """Settle *done*, and lease up to *limit* messages into the queues' `claimed`.

        Queues with a rate bring only what makes `timed` no longer than *ahead*.
        """
        await self.recover()
        plain = [queue for queue in ready if queue.limits is None]
        calls = [[queue] for queue in ready if queue.limits is not None]
        if plain or done:
            # Whose turn it is comes first: where few slots are free, the last get none.
            calls.insert(0 if ready[:1] == plain[:1] else len(calls), plain)
        left = len(ready)
        for queues in calls:
            share = math.ceil(limit * len(queues) / left) if left else 0
            left -= len(queues)
            if queues and queues[0].paced:
                share = min(share, ahead - len(self.timed))
            if not queues or queues[0].limits is None:
                limit -= await self._claim_plain(queues, share, done)
            elif share > 0:
                limits, alone = queues[0].limits, len(ready) == 1
                horizon = AHEAD if limit > 1 or alone else BRIEFLY
                stays = alone and share < limit
                told = queues[0].tells_others(self._loop.time(), stays=stays)
                limit -= await self._claim_limited(queues[0], limits, share, horizon, told)
            if self.alone():
                limit = 0

    async def recover(self) -> None:
        """Adopt what lost replies leased."""
        unsure = [
            batch
            for queue in self._queues.values()
            for batch in list(queue.batches.values())
            if batch.unsure
        ]
        if not unsure:
            return
        keys = [key for one in unsure for key in (one.processing, one.queue.keys.deliveries)]
        reply = await self._link.run(RECOVER, keys, [])
        found = unpack(reply)
        for batch, count in zip(unsure, reply[HEAD:], strict=True):
            members = list(itertools.islice(found, count))
            batch.unsure = False
            if adopted := self._open(batch, members, float(reply[HEAD - 1])):
                log.info("%d messages of a lost reply are run after all", adopted)
        await self._bury_bad()

    async def _claim_plain(self, queues: Sequence[QueueState], limit: int, done: Done) -> int:
        """Make one call; how many messages it leased."""
        batches = [queue.new_batch() for queue in queues]
        keys: list[str] = []
        args: list[Any] = [len(done), limit, self._lease, int(self.holds_nothing())]
        for batch, messages in done.items():
            keys += (batch.processing, batch.queue.keys.workers)
            whole = len(messages) == len(batch.held) and not batch.unsure
            args += (batch.worker, len(messages), int(whole))
            args += () if whole else messages
        for batch in batches:
            names = batch.queue.keys
            keys += (names.queue, batch.processing, names.workers)
            keys += (names.deliveries, names.suspects, names.wake, names.paused)
            args += (batch.worker, limit)
        reply = await self._run(CLAIM, keys, args, batches, done)
        rest = HEAD + len(done)
        found = unpack(reply)
        claimed = 0
        for i, batch in enumerate(batches):
            row = reply[rest + 3 * i : rest + 3 * i + 3]
            members = list(itertools.islice(found, row[1]))
            claimed += self._note(batch, row, members, float(reply[HEAD - 1]))
        # What is leased is noted: now calls may follow, and fail.
        await self._settle(done, reply[HEAD:rest])
        await self._bury_bad()
        return claimed

    async def _claim_limited(
        self, queue: QueueState, limits: QueueLimits, most: int, horizon: float, told: bool
    ) -> int:
        """Make one call, which wakes another worker if *told*; how many messages it leased."""
        batch, names, rate = queue.new_batch(), queue.keys, limits.rate
        keys = [names.queue, batch.processing, names.workers, names.deliveries]
        keys += [names.suspects, names.wake, names.running, names.parked, names.reserved]
        keys += [names.rate, names.turn, names.paused, names.lines]
        args: list[Any] = [batch.worker, most, self._lease, int(self.holds_nothing())]
        args += [rate.interval, rate.burst] if rate else [0, 1]
        args += [int(limits.rate_keyed), limits.concurrency or 0]
        args += [int(limits.concurrency_keyed), queue.worker]
        late, queue.late = queue.late, 0.0
        args += [horizon, late, int(told)]
        reply = await self._run(CLAIM_LIMITED, keys, args, [batch], {})
        members = list(unpack(reply))
        claimed = self._note(batch, reply[HEAD:], members, float(reply[HEAD - 1]))
        self.turns.watch(queue)
        await self._bury_bad()
        return claimed

    async def _run(
        self,
        script: Script,
        keys: list[str],
        args: list[Any],
        batches: Iterable[Batch],
        done: Done,
    ) -> Any:
        for batch in done:
            batch.settling += 1
        try:
            return await self._link.run(script, keys, args)
        except (BrokerError, asyncio.CancelledError):
            # The reply may be lost, and not the claim.
            for batch in batches:
                batch.doubt()
            for batch, messages in done.items():
                batch.unsure = True
                batch.doubtful.update(messages)
            raise
        finally:
            for batch in done:
                batch.settling -= 1

    async def _settle(self, done: Done, missed: list[int]) -> None:
        again: Done = {}
        for (batch, messages), count in zip(done.items(), missed, strict=True):
            if count < 0:
                # W holds something else, or its lease has ended: name the messages.
                batch.unsure = True
                again[batch] = messages
            else:
                self._settled(batch, messages, count)
        if again:
            await self._claim_plain((), 0, again)

    def _settled(self, batch: Batch, messages: dict[bytes, Message], missed: int) -> None:
        """Note that *messages* are settled, though *missed* of them hit nothing."""
        doubtful = batch.doubtful.intersection(messages)
        for raw in messages:
            batch.held.pop(raw, None)
        batch.end_if_done()
        # What an unanswered call may have settled before is no lost lease.
        if missed > len(doubtful):
            for raw, message in messages.items():
                if raw not in doubtful and message.delivery is not None:
                    message.delivery.lease_lost = True

    def _note(self, batch: Batch, row: Any, members: list[Found], now: float) -> int:
        queue, status = batch.queue, text(row[0])
        if status == "skipped":
            return 0
        if status in ("ok", "suspects", "alone"):
            queue.see(row[2], self._loop.time())
            self._watch_suspects(status, queue)
        else:
            # A key of the wrong type, say, or junk in one.
            log.error("Nothing can be claimed from '%s': %s", queue.name, status)
            queue.rest(self._loop.time())
        return self._open(batch, members, now) if members else 0

    def _watch_suspects(self, status: str, queue: QueueState) -> None:
        if status == "suspects":
            if not self.suspicious:
                self.suspects_since = self._loop.time()
            self.suspicious.add(queue)
            return
        self.suspicious.discard(queue)
        if not self.suspicious:
            self.suspects_since = NEVER
        if status == "alone":
            queue.ready = True

    def _open(self, batch: Batch, members: Sequence[Found], now: float) -> int:
        """Put what was leased where callers find it; how many messages that were."""
        queue, opened, offset = batch.queue, 0, self._read_clock(now)
        queue.batches[batch.worker] = batch
        held, paced = batch.held, queue.paced
        if members:
            batch.late = 0
        for found in members:
            raw, _, _, wait = found
            if raw in held:
                continue
            try:
                message = open_message(found, batch, now)
            except DecodeError as error:
                batch.unsure = True  # until they are buried
                self._bad.append((batch, raw, error, now))
                continue
            opened += 1
            held[raw] = message
            if wait > 0 or (paced and self.timed):  # not before an earlier slot
                at = now + wait + offset
                heapq.heappush(self.timed, (at, next(self._order), message))
            else:
                queue.claimed.append(message)
        batch.end_if_done()
        return opened

    def _read_clock(self, now: float) -> float:
        """What the loop's clock is ahead of the server's, which said *now* a moment ago."""
        at = self._loop.time()
        offset = at - now
        if not self._offset <= offset <= self._offset + SET or at > self._read_at + FORGET:
            self._offset, self._read_at = offset, at
        return self._offset

    async def _bury_bad(self) -> None:
        """Bury bytes that are no message; where that fails, their batch stays unsure.

        Where Redis refuses it, since a key is of a wrong type, they stay leased until this
        worker ends.
        """
        bad, self._bad = self._bad, []
        for batch, raw, error, now in bad:
            queue = batch.queue.name
            letter = undecodable(queue, raw, error, now)
            log.error("Bytes in '%s' are dropped as %s: %s", queue, letter.id, letter.error)
            try:
                await self._bury(Receipt(raw, batch, False), letter)
            except BrokerUnavailableError:
                raise
            except BrokerError as refused:
                batch.held[raw] = Message(task_name=queue)  # not to be looked at again
                log.error("%s stays in '%s': %s", letter.id, queue, refused)
        for batch, *_ in bad:
            batch.unsure = False
            batch.end_if_done()
