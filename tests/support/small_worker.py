"""A worker in miniature: takes messages, settles them, and waits for a broker that is away."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from ltq_core.errors import BrokerUnavailableError, LeaseLostError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from ltq_core.broker import Broker
    from ltq_core.message import Message

T = TypeVar("T")

PAUSE = 0.02  # seconds until a broker that was away is asked again


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """Repeat *call* until the broker answers, as a worker does."""
    while True:
        try:
            return await call()
        except BrokerUnavailableError:
            await asyncio.sleep(PAUSE)


class SmallWorker:
    """Runs what it is given by noting it.

    Attributes:
        runs: How often each message was run, by its id.
        lost: Messages whose lease was gone when they were settled, by their ids.
    """

    def __init__(self, broker: Broker, *queues: str) -> None:
        self.runs: Counter[str] = Counter()
        self.lost: list[str] = []
        self._broker = broker
        self._queues = queues
        self._done: list[Message] = []

    async def drain(self, ids: Sequence[str], limit: int = 10) -> None:
        """Work until each of *ids* was run and everything is settled."""
        while not self.runs.keys() >= set(ids):
            await self._turn(limit)
        await self._settle_all()

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Work in the background, and settle everything in the end."""
        work = asyncio.ensure_future(self._work())
        try:
            yield
        finally:
            work.cancel()
            await asyncio.wait({work})
        await self._settle_all()

    async def _work(self) -> None:
        while True:
            await self._turn(10)

    async def _turn(self, limit: int) -> None:
        # Acks travel with the next claim, as a worker's do.
        done = self._done
        messages = await patiently(lambda: self._broker.consume_many(self._queues, limit, done))
        self._note_lost(done)
        self._done = messages
        self.runs.update(one.id for one in messages)

    async def _settle_all(self) -> None:
        done, self._done = self._done, []
        await patiently(lambda: self._broker.ack_many(done))
        self._note_lost(done)

    async def take(self) -> Message:
        """One message, run and not settled."""
        [one] = await patiently(lambda: self._broker.consume_many(self._queues, 1))
        self.runs[one.id] += 1
        return one

    async def settle(self, call: Callable[[], Awaitable[None]]) -> None:
        """Settle one message, noting nothing if its lease was lost."""
        try:
            await patiently(call)
        except LeaseLostError as error:
            self.lost.append(str(error))

    def _note_lost(self, messages: Sequence[Message]) -> None:
        self.lost += [one.id for one in messages if one.delivery and one.delivery.lease_lost]
