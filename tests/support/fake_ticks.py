"""A store of ticks that can fail, and schedulers on it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from ltq_core.broker import Broker
from ltq_core.errors import BrokerUnavailableError
from ltq_core.message import Message
from ltq_core.scheduler import Scheduler
from ltq_core.testing import run_virtual

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

T = TypeVar("T")

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)

START = 1_800_000_000.0
"""What the store's clock shows when a test's event loop shows 0: a whole hour."""


class TickStore:
    """What several fake brokers share: last ticks, messages, and a clock of its own."""

    def __init__(self) -> None:
        self.ticks: dict[tuple[str, str], float] = {}
        self.messages: list[Message] = []
        self.published_at: list[float] = []
        self.looks: list[float] = []
        self.ahead = START
        self.away = False

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead

    @property
    def lateness(self) -> list[float]:
        """How long after its tick each message was published, in their order."""
        ticks = [message.ctx["scheduled_for"] for message in self.messages]
        return [at - tick for at, tick in zip(self.published_at, ticks, strict=True)]

    @property
    def sent(self) -> list[float]:
        """The ticks of all messages, as seconds after `START`, in their order."""
        return [message.ctx["scheduled_for"] - START for message in self.messages]


class FakeTicks(Broker):
    """A connection to a `TickStore`; *at_await* is told of each point where it waits."""

    def __init__(
        self,
        store: TickStore,
        latency: float = 0.001,
        at_await: Callable[[], None] = lambda: None,
    ) -> None:
        self.store = store
        self.latency = latency
        self.at_await = at_await
        self.refuses: set[str] = set()
        self.closed = 0
        self.calls = 0
        self.most_calls = 0

    async def publish_tick(self, job: str, tick: float, message: Message) -> bool:
        await self._travel()
        new = tick > self.store.ticks.get((message.task_name, job), float("-inf"))
        if new:
            self.store.ticks[message.task_name, job] = tick
            self.store.messages.append(message)
            self.store.published_at.append(self.store.now)
        await self._travel(message.task_name)
        return new

    async def last_tick(self, queue: str, job: str) -> float | None:
        await self._travel()
        last = self.store.ticks.get((queue, job))
        await self._travel(queue)
        return last

    async def time(self) -> float:
        await self._travel()
        self.store.looks.append(self.store.now)
        answer = self.store.now
        await self._travel()
        return answer

    async def _travel(self, queue: str = "") -> None:
        self.calls += 1
        self.most_calls = max(self.calls, self.most_calls)
        try:
            self.at_await()
            await asyncio.sleep(self.latency / 2)
        finally:
            self.calls -= 1
        if self.store.away or queue in self.refuses:
            raise BrokerUnavailableError("The fake store is away.")

    async def publish(self, message: Message, delay: float = 0) -> None:
        raise NotImplementedError

    async def consume(self, queue: str) -> Message:
        raise NotImplementedError

    async def ack(self, message: Message) -> None:
        raise NotImplementedError

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        raise NotImplementedError

    async def size(self, queue: str) -> int:
        raise NotImplementedError

    async def clear(self, queue: str) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        self.closed += 1


def run_jumping(main: Coroutine[Any, Any, T]) -> T:
    """Run *main* on a virtual clock, from 0.1 s on: nothing is due at the very start."""

    async def begin() -> T:
        await reach(0.1)
        return await main

    return run_virtual(begin(), start=instant(0))


def message(*args: object, task: str = "mail:digest") -> Message:
    return Message(args, {}, task)


def on(store: TickStore, poll_interval: float = 10.0, **broker: object) -> Scheduler:
    """A scheduler on *store*; *broker* are the settings of its connection."""
    scheduler = Scheduler("memory://", poll_interval)
    scheduler.broker = FakeTicks(store, **broker)  # type: ignore[arg-type]
    return scheduler


def each(interval: timedelta, store: TickStore, missed: str = "latest") -> Scheduler:
    """A scheduler of one job, due each *interval*."""
    scheduler = on(store)
    scheduler.every(interval, message(), missed=missed)  # type: ignore[arg-type]
    return scheduler


@asynccontextmanager
async def living(*schedulers: Scheduler) -> AsyncIterator[None]:
    """Let *schedulers* run meanwhile."""
    for scheduler in schedulers:
        scheduler.start_background()
    yield
    for scheduler in schedulers:
        await scheduler.stop()


async def reach(seconds: float) -> None:
    """Let the loop's time come to *seconds*."""
    await asyncio.sleep(seconds - asyncio.get_running_loop().time())


def instant(seconds: float) -> datetime:
    """What the store's clock shows when the loop's shows *seconds*."""
    return datetime.fromtimestamp(START + seconds, UTC)
