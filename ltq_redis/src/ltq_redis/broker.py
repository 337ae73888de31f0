"""`RedisBroker`: queues in Redis or Valkey, at least once."""

from __future__ import annotations

import os
import weakref
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from ltq_core import Broker, BrokerUnavailableError, EncodeError, Message, PerLoop, redact
from ltq_redis import dead, inspection
from ltq_redis.keys import keys_of
from ltq_redis.link import Link, retrying
from ltq_redis.publisher import Parcel
from ltq_redis.queue import Fate, doubting
from ltq_redis.scripts import TICK, UNIQUE
from ltq_redis.session import Session
from ltq_redis.settings import parse
from ltq_redis.topology import topology

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from ltq_core import DeadLetter, LiveWorker, QueueLimits, QueueStats
    from ltq_redis.keys import QueueKeys

DEFAULT_URL = "redis://localhost:6379"

# What no release removes goes by itself after this long, in seconds.
KEEP = 400 * 86_400

# How long a look into the store tries again by itself, in seconds: a person waits for it,
# or a worker that says so.
LOOK_PATIENCE = 1.0

Sessions = dict[str, Session]
T = TypeVar("T")


class RedisBroker(Broker):
    """Stores queues in Redis 6.2 or newer, or in Valkey.

    Args:
        url: ``redis://``, ``rediss://``, ``unix://``, ``redis+sentinel://``,
            ``redis+cluster://`` and their Valkey names; options in its query.

    Raises:
        ConfigurationError: The URL or one of its options makes no sense.
    """

    durable: ClassVar[bool] = True
    shared: ClassVar[bool] = True

    def __init__(self, url: str = DEFAULT_URL) -> None:
        self._settings = parse(url)
        self._topology = topology(self._settings)
        self._limits: dict[str, QueueLimits] = {}
        self._inherited: list[PerLoop[Sessions]] = []
        self._begin()
        _brokers.add(self)

    def _begin(self) -> None:
        self._loops: PerLoop[Sessions] = PerLoop(dict, _discard)
        self._finalizer = weakref.finalize(self, _abandon, self._loops)
        self._finalizer.atexit = False

    def _begin_in_child(self) -> None:
        # The connections are the parent's. They are kept, since to close one here would
        # take it out of the selector that parent and child share.
        self._finalizer.detach()
        self._inherited.append(self._loops)
        self._begin()

    def __repr__(self) -> str:
        return f"<RedisBroker {redact(self._settings.url)}>"

    async def publish(self, message: Message, delay: float = 0) -> None:
        """See `Broker.publish`; sends that meet travel together."""
        parcel = self._parcel(message, delay)
        await self._session(parcel.keys.tag).publisher.send(parcel)

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        """See `Broker.publish_many`; a thousand messages travel in one call."""
        by_tag: dict[str, list[Parcel]] = {}
        for message in messages:
            parcel = self._parcel(message, delay)
            by_tag.setdefault(parcel.keys.tag, []).append(parcel)
        for tag, parcels in by_tag.items():
            await self._session(tag).publisher.send_many(parcels)

    async def consume(self, queue: str) -> Message:
        """See `Broker.consume`."""
        return (await self.consume_many([queue], 1))[0]

    async def consume_many(
        self, queues: Sequence[str], limit: int, acks: Sequence[Message] = ()
    ) -> list[Message]:
        """See `Broker.consume_many`; claims and acks share one round trip."""
        tags = {self._keys(queue).tag for queue in queues} if self._settings.tagged else {""}
        with doubting(acks):
            if len(tags) > 1:  # slots of a cluster that no single call can reach
                return await super().consume_many(queues, limit, acks)
            session = self._session(tags.pop())
            return await session.consume_many(queues, limit, acks, self._limits)

    async def release(self) -> None:
        """See `Broker.release`."""
        await super().release()
        for session in (self._loops.peek() or {}).values():
            await session.release()

    async def ack(self, message: Message) -> None:
        """See `Broker.ack`."""
        await self._of(message).settle(message, Fate("ack"))

    async def ack_many(self, messages: Sequence[Message]) -> list[Message]:
        """See `Broker.ack_many`; one round trip."""
        by_tag: dict[str, list[Message]] = {}
        for message in messages:
            by_tag.setdefault(self._tag(message.task_name), []).append(message)
        lost = []
        with doubting(messages):
            for tag, several in by_tag.items():
                lost += await self._session(tag).ack_many(several)
        return lost

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        """See `Broker.nack`."""
        what = "drop" if drop else "delay" if delay > 0 else "place"
        # Of any size: it was accepted once, and each run adds a little to its ctx.
        new = b"" if drop else message.to_json()
        await self._of(message).settle(message, Fate(what, new, delay))

    async def size(self, queue: str) -> int:
        """See `Broker.size`."""
        return await self._ask(queue, inspection.size)

    async def clear(self, queue: str) -> None:
        """See `Broker.clear`; a thousand messages an atomic step."""
        await self._ask(queue, inspection.clear)

    async def close(self) -> None:
        """See `Broker.close`."""
        await self._loops.close(_close)

    async def set_limits(self, queue: str, limits: QueueLimits) -> None:
        """See `SharedLimits.set_limits`; each claim carries them."""
        if limits.rate is None and limits.concurrency is None:
            self._limits.pop(queue, None)
            await self._ask(queue, inspection.unlimit)
        else:
            self._limits[queue] = limits

    async def bury(self, message: Message, letter: DeadLetter) -> None:
        """See `DeadLetters.bury`."""
        await self._of(message).settle(message, Fate.dead(letter))

    async def dead_letters(
        self, queue: str, ids: Collection[str] | None = None, limit: int = 1000
    ) -> list[DeadLetter]:
        """See `DeadLetters.dead_letters`."""
        return await self._ask(queue, partial(dead.letters, ids=ids, limit=limit))

    async def requeue_dead(self, queue: str, ids: Collection[str]) -> int:
        """See `DeadLetters.requeue_dead`."""
        return await self._ask(queue, partial(dead.requeue, ids=ids))

    async def delete_dead(self, queue: str, ids: Collection[str]) -> int:
        """See `DeadLetters.delete_dead`."""
        return await self._ask(queue, partial(dead.delete, ids=ids))

    async def publish_unique(
        self, message: Message, key: str, hold: float = 0, delay: float = 0
    ) -> str:
        """See `UniquePublish.publish_unique`."""
        message.ctx["unique"] = key
        raw, keys = self._encode(message), self._keys(message.task_name)
        names = [keys.queue, keys.wake, keys.unique(key)]
        args = [message.id, raw, max(delay, 0), max(hold, 0), KEEP + int(max(hold, 0))]
        publisher = self._session(keys.tag).publisher
        holder: bytes = await publisher.run(UNIQUE, names, args)
        return holder.decode()

    async def publish_tick(self, job: str, tick: float, message: Message) -> bool:
        """See `Ticks.publish_tick`."""
        raw, keys = self._encode(message), self._keys(message.task_name)
        names, args = [keys.queue, keys.wake, keys.cron], [job, repr(tick), raw, KEEP]
        return bool(await self._session(keys.tag).publisher.run(TICK, names, args))

    async def last_tick(self, queue: str, job: str) -> float | None:
        """See `Ticks.last_tick`."""
        last = await self._call(queue, "HGET", self._keys(queue).cron, job)
        return None if last is None else float(last)

    async def time(self) -> float:
        """See `Ticks.time`: the server's clock."""
        link = self._session("").link
        return await retrying(lambda: inspection.time(link), LOOK_PATIENCE)

    async def queues(self) -> list[str]:
        """See `Inspection.queues`."""
        names: set[str] = set()
        for tag in await retrying(self._topology.tags, LOOK_PATIENCE):
            link = self._session(tag).link
            look = partial(inspection.queues, link, self._settings.prefix)
            names |= await retrying(look, LOOK_PATIENCE)
        return sorted(names)

    async def stats(self, queue: str) -> QueueStats:
        """See `Inspection.stats`."""
        return await self._ask(queue, inspection.stats)

    async def peek(self, queue: str, limit: int = 10) -> list[Message]:
        """See `Inspection.peek`."""
        return await self._ask(queue, partial(inspection.peek, limit=limit))

    async def workers(self, queue: str) -> list[LiveWorker]:
        """See `LiveWorkers.workers`: those that hold messages, or did a moment ago."""
        return await self._ask(queue, inspection.workers)

    async def pause(self, queue: str) -> None:
        """See `Pause.pause`."""
        await self._call(queue, "SET", self._keys(queue).paused, 1)

    async def resume(self, queue: str) -> None:
        """See `Pause.resume`."""
        await self._ask(queue, inspection.resume)

    async def paused(self, queue: str) -> bool:
        """See `Pause.paused`."""
        return bool(await self._call(queue, "EXISTS", self._keys(queue).paused))

    def _session(self, tag: str) -> Session:
        sessions = self._loops.get()
        tag = tag if self._settings.tagged else ""
        session = sessions.get(tag)
        if session is None:
            session = sessions[tag] = Session(self._topology, tag, self._settings)
        return session

    def _tag(self, queue: str) -> str:
        return queue.partition(":")[0] if self._settings.tagged else ""

    def _of(self, message: Message) -> Session:
        return self._session(self._tag(message.task_name))

    def _keys(self, queue: str) -> QueueKeys:
        return keys_of(queue, self._settings.prefix, self._settings.tagged)

    def _parcel(self, message: Message, delay: float) -> Parcel:
        return Parcel(self._keys(message.task_name), self._encode(message), max(delay, 0))

    def _encode(self, message: Message) -> bytes:
        raw = message.to_json()
        if len(raw) > self._settings.max_message_bytes:
            raise EncodeError(
                f"Message {message.id} of '{message.task_name}' takes {len(raw)} bytes, more "
                f"than max_message_bytes={self._settings.max_message_bytes} allows."
            )
        return raw

    async def _call(self, queue: str, *command: Any) -> Any:
        link = self._session(self._tag(queue)).link
        return await retrying(lambda: link.call(*command), LOOK_PATIENCE)

    async def _ask(self, queue: str, ask: Callable[[Link, QueueKeys], Awaitable[T]]) -> T:
        link, keys = self._session(self._tag(queue)).link, self._keys(queue)
        return await retrying(lambda: ask(link, keys), LOOK_PATIENCE)


_brokers: weakref.WeakSet[RedisBroker] = weakref.WeakSet()


def _begin_in_child() -> None:
    for broker in list(_brokers):
        broker._begin_in_child()


if hasattr(os, "register_at_fork"):  # wherever there is a fork
    os.register_at_fork(after_in_child=_begin_in_child)


async def _close(sessions: Sessions) -> None:
    failure: BrokerUnavailableError | None = None
    for session in sessions.values():
        try:
            await session.close()
        except BrokerUnavailableError as error:
            failure = error
    if failure is not None:
        raise failure


def _abandon(loops: PerLoop[Sessions]) -> None:
    """Close what a broker had that was dropped without `close`; its leases end."""
    for loop, sessions in loops.drain():
        # The collector may run in any thread, and a connection belongs to its loop's.
        if loop.is_running():
            with suppress(RuntimeError):  # it has just been closed
                loop.call_soon_threadsafe(_discard, sessions)
                continue
        _discard(sessions)


def _discard(sessions: Sessions) -> None:
    for session in sessions.values():
        session.discard()
