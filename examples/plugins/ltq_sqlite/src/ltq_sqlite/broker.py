"""The `SqliteBroker`: queues in one file, for all processes of a machine."""

from __future__ import annotations

import asyncio
import time
import weakref
from typing import TYPE_CHECKING, ClassVar, TypeVar

from ltq_core import Broker, BrokerUnavailableError, EncodeError, LeaseLostError
from ltq_sqlite import inspection, keyed, letters, store
from ltq_sqlite.bell import bell_of
from ltq_sqlite.claims import POLL, Claim, Found
from ltq_sqlite.lease import Lease
from ltq_sqlite.settings import parse
from ltq_sqlite.store import Receipt, Row
from ltq_sqlite.writer import Writer, answer

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Sequence
    from concurrent.futures import Future

    from ltq_core import DeadLetter, Message, QueueStats

T = TypeVar("T")


class SqliteBroker(Broker):
    """Queues in a SQLite file: durable, shared by processes, at least once.

    It also offers the abilities `DeadLetters`, `UniquePublish`, `Ticks` and
    `Inspection`.

    Args:
        url: ``sqlite:///path/to/file.db``, with `Settings` as its query.

    Raises:
        ConfigurationError: The URL names no file, or an option makes no sense.
    """

    durable: ClassVar[bool] = True
    shared: ClassVar[bool] = True

    def __init__(self, url: str) -> None:
        self.settings = parse(url)
        self._bell = bell_of(self.settings.path)
        self._writer = Writer(self.settings.path, self._bell)
        self._lease = Lease(self.settings, self._bell)
        self._closes = 0
        weakref.finalize(self, _abandon, self._writer, self._lease).atexit = False

    def __repr__(self) -> str:
        return f"SqliteBroker('{self.settings.path}')"

    @property
    def lease(self) -> float:
        """Seconds after which the messages of a silent worker come back."""
        return self.settings.lease

    async def publish(self, message: Message, delay: float = 0) -> None:
        await self.publish_many([message], delay)

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        rows = [self._row(message) for message in messages]
        await self._do(lambda db: store.put(db, rows, delay), rings=True)

    async def consume(self, queue: str) -> Message:
        return (await self.consume_many([queue], 1))[0]

    async def consume_many(
        self, queues: Sequence[str], limit: int, acks: Sequence[Message] = ()
    ) -> list[Message]:
        closes = self._closes
        with self._bell.listen() as rung:
            while closes == self._closes:
                rung.clear()
                found = await self._claim(queues, limit, acks)
                if found.messages:
                    return found.messages
                acks = ()
                # Nothing is leased across this await: cancelling it loses nothing.
                await self._news(rung, found)
        raise BrokerUnavailableError("This broker was closed meanwhile.")

    async def ack(self, message: Message) -> None:
        if await self.ack_many([message]):
            raise _lost(message)

    async def ack_many(self, messages: Sequence[Message]) -> list[Message]:
        receipts = [_receipt(message) for message in messages]
        held = await self._do(lambda db: store.settle(db, receipts))
        return self._settled(messages, held)

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        if drop:
            await self.ack(message)
            return
        receipt, body = _receipt(message), message.to_json()
        held = await self._do(
            lambda db: store.put_back(db, [receipt], body, delay) == 1, rings=True
        )
        if self._settled([message], [held]):
            raise _lost(message)

    async def size(self, queue: str) -> int:
        return await self._do(lambda db: store.size(db, queue))

    async def clear(self, queue: str) -> None:
        await self._do(lambda db: store.clear(db, queue))

    async def close(self) -> None:
        self._closes += 1
        self._lease.drop()
        await self._writer.close(self._lease.leave)

    # DeadLetters

    async def bury(self, message: Message, letter: DeadLetter) -> None:
        receipt, row = _receipt(message), letters.row_of(letter)
        held = await self._do(lambda db: letters.bury(db, receipt, row))
        if self._settled([message], [held]):
            raise _lost(message)

    async def dead_letters(
        self, queue: str, ids: Collection[str] | None = None, limit: int = 1000
    ) -> list[DeadLetter]:
        return await self._do(lambda db: letters.letters(db, queue, ids, limit))

    async def requeue_dead(self, queue: str, ids: Collection[str]) -> int:
        return await self._do(lambda db: letters.requeue(db, queue, ids), rings=True)

    async def delete_dead(self, queue: str, ids: Collection[str]) -> int:
        return await self._do(lambda db: letters.delete(db, queue, ids))

    # UniquePublish

    async def publish_unique(
        self, message: Message, key: str, hold: float = 0, delay: float = 0
    ) -> str:
        row = self._row(message)
        return await self._do(
            lambda db: keyed.put_unique(db, row, key, hold, delay), rings=True
        )

    # Ticks

    async def publish_tick(self, job: str, tick: float, message: Message) -> bool:
        row = self._row(message)
        return await self._do(lambda db: keyed.put_tick(db, row, job, tick), rings=True)

    async def last_tick(self, queue: str, job: str) -> float | None:
        return await self._do(lambda db: keyed.last_tick(db, queue, job))

    async def time(self) -> float:
        return time.time()  # every process that shares the file reads the same clock

    # Inspection

    async def queues(self) -> list[str]:
        return await self._do(inspection.queues)

    async def stats(self, queue: str) -> QueueStats:
        return await self._do(lambda db: inspection.stats(db, queue))

    async def peek(self, queue: str, limit: int = 10) -> Sequence[Message]:
        return await self._do(lambda db: inspection.peek(db, queue, limit))

    async def _do(self, step: Callable[[sqlite3.Connection], T], *, rings: bool = False) -> T:
        return await answer(self._writer.submit(step, rings=rings), self.settings.path)

    async def _claim(self, queues: Sequence[str], limit: int, acks: Sequence[Message]) -> Found:
        self._lease.keep()
        receipts = [_receipt(message) for message in acks]

        def step(db: sqlite3.Connection) -> tuple[list[bool], Found]:
            held = store.settle(db, receipts)
            worker = self._lease.join(db)
            return held, Claim(db, worker, queues).find(limit)

        call = self._writer.submit(step)
        try:
            held, found = await answer(call, self.settings.path)
        except asyncio.CancelledError:
            # The transaction may be under way. What it leases is returned when it ends.
            call.add_done_callback(self._give_back)
            raise
        self._settled(acks, held)
        self._lease.hold(found.messages)
        return found

    def _give_back(self, call: Future[tuple[list[bool], Found]]) -> None:
        if call.cancelled() or call.exception() is not None:
            return
        receipts = [_receipt(message) for message in call.result()[1].messages]
        self._writer.submit(lambda db: store.put_back(db, receipts), rings=True)

    async def _news(self, rung: asyncio.Event, found: Found) -> None:
        """Return when something may have become claimable since *found*."""
        loop = asyncio.get_running_loop()
        until = loop.time() + found.pause
        while (left := until - loop.time()) > 0:
            try:
                async with asyncio.timeout(min(left, POLL)):
                    await rung.wait()
                return
            except TimeoutError:
                if await self._writer.version() != found.version:
                    return

    def _settled(self, messages: Sequence[Message], held: Sequence[bool]) -> list[Message]:
        """Note that *messages* were settled; those whose lease was lost, marked."""
        lost = []
        for message, was_held in zip(messages, held, strict=True):
            self._lease.release(_receipt(message))
            if not was_held and message.delivery is not None:
                message.delivery.lease_lost = True
                lost.append(message)
        return lost

    def _row(self, message: Message) -> Row:
        body, most = message.to_json(), self.settings.max_message_bytes
        if len(body) > most:
            raise EncodeError(
                f"Message {message.id} of task '{message.task_name}' has {len(body)} bytes, "
                f"more than the {most} that max_message_bytes allows."
            )
        return Row(message.task_name, message.id, body)


def _abandon(writer: Writer, lease: Lease) -> None:
    # Run by the garbage collector, maybe within the keeper's thread: never wait.
    lease.drop(wait=False)
    writer.drop()


def _receipt(message: Message) -> Receipt:
    receipt = None if message.delivery is None else message.delivery.receipt
    if not isinstance(receipt, Receipt):
        raise LeaseLostError(f"Message {message.id} was not handed out by this broker.")
    return receipt


def _lost(message: Message) -> LeaseLostError:
    return LeaseLostError(
        f"The lease on message {message.id} ended earlier: it was settled already, or "
        "another worker may have it."
    )
