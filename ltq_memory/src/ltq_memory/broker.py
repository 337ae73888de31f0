"""The `MemoryBroker`: queues that live in this process."""

from __future__ import annotations

import asyncio
import threading
import weakref
from typing import TYPE_CHECKING, ClassVar

from ltq_core import (
    Broker,
    DecodeError,
    Message,
    describe,
    get_logger,
    now,
    printable,
    undecodable,
)
from ltq_memory.abilities import Abilities
from ltq_memory.leases import lost, receipt
from ltq_memory.lines import Entry
from ltq_memory.session import Session
from ltq_memory.settings import Settings, parse_url
from ltq_memory.store import Store
from ltq_memory.waiters import Waiter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ltq_memory.leases import Lease

log = get_logger("memory")

_stores: dict[str, Store] = {}
_stores_lock = threading.Lock()


def _named_store(name: str) -> Store:
    with _stores_lock:
        return _stores.setdefault(name, Store())


class MemoryBroker(Abilities, Broker):
    """Queues in this process's memory, with the promises of any broker but durability.

    Every ``memory://`` URL of one name meets the same store, from any thread or event
    loop, for as long as the process lives; without a URL the store is private.

    Args:
        url: ``memory://`` or ``memory://name``, with `Settings` as its query.

    Raises:
        UnknownSchemeError: It is no ``memory://`` URL.
        UnknownOptionError: It has an option that does not exist.
        OptionValueError: An option's value makes no sense.
    """

    durable: ClassVar[bool] = False
    shared: ClassVar[bool] = False

    def __init__(self, url: str | None = None) -> None:
        name, settings = (None, Settings()) if url is None else parse_url(url)
        self.url = url or "memory://"
        self.settings = settings
        self.store = Store() if name is None else _named_store(name)
        self._session = Session(self.store, settings)
        # Dropped without close, its leases end. The collector may run anywhere, also
        # while the store is locked: it must not wait for the keeper's thread.
        weakref.finalize(self, self._session.drop, wait=False).atexit = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    @property
    def lease(self) -> float:
        """Seconds after which the messages of a silent worker come back."""
        return self.settings.lease

    async def publish(self, message: Message, delay: float = 0) -> None:
        await self.publish_many([message], delay)

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        due, most = now() + max(delay, 0), self.settings.max_message_bytes
        by_queue: dict[str, list[Entry]] = {}
        for message in messages:
            entry = Entry.of(message, due, most)
            by_queue.setdefault(message.task_name, []).append(entry)
        for name, entries in by_queue.items():
            with self.store.lend(name) as queue:
                self.store.put(queue, entries)

    async def consume(self, queue: str) -> Message:
        return (await self.consume_many([queue], 1))[0]

    async def consume_many(
        self, queues: Sequence[str], limit: int, acks: Sequence[Message] = ()
    ) -> list[Message]:
        if acks:
            await self.ack_many(acks)
        await asyncio.sleep(0)  # a caller that always finds messages lets others run too
        self._session.keep()
        while True:
            found = self.store.claim(self._session, queues, limit)
            if not isinstance(found, Waiter):
                if messages := self._decoded(found):
                    return messages
                continue
            # Nothing is leased across this await: cancelling it loses nothing.
            try:
                await found.wait()
            finally:
                self.store.forget(found)

    async def ack(self, message: Message) -> None:
        if await self.ack_many([message]):
            raise lost(message)

    async def ack_many(self, messages: Sequence[Message]) -> list[Message]:
        held = self.store.ack([receipt(message) for message in messages])
        return [message for message, was in zip(messages, held, strict=True) if not was]

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        if drop:
            await self.ack(message)
            return
        due = now() + delay if delay > 0 else None
        if not self.store.put_back(receipt(message), message.to_json(), due):
            raise lost(message)

    async def size(self, queue: str) -> int:
        with self.store.lend(queue) as lent:
            return len(lent)

    async def clear(self, queue: str) -> None:
        with self.store.lend(queue) as lent:
            lent.clear(now())

    async def close(self) -> None:
        self._session.drop()
        self.store.leave(self._session)

    def _decoded(self, leases: Sequence[Lease]) -> list[Message]:
        messages = []
        for lease in leases:
            try:
                message = Message.from_json(lease.entry.raw)
            except DecodeError as error:
                self._give_up(lease, error)
            else:
                message.delivery = lease.delivery
                messages.append(message)
        return messages

    def _give_up(self, lease: Lease, error: DecodeError) -> None:
        name = lease.queue.name
        log.warning("A dead letter in queue '%s': %s", printable(name), describe(error))
        letter = undecodable(name, lease.entry.raw, error, now(), lease.epoch.id)
        self._bury(lease, letter)
