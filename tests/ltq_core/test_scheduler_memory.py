"""Schedulers on the memory broker, in real time."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import threading
import time
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from fake_ticks import message
from ltq_core.broker import Broker
from ltq_core.scheduler import Scheduler
from ltq_core.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ltq_core.message import Message

SOON = timedelta(milliseconds=50)


def gaps(ticks: list[float]) -> list[int]:
    """The times between ticks, in intervals."""
    return [round((later - tick) / 0.05) for tick, later in itertools.pairwise(ticks)]


class Consumer:
    """Takes every message of a queue, and notes how long after its tick it came."""

    def __init__(self, url: str) -> None:
        self.messages: list[Message] = []
        self.lateness: list[float] = []
        self._broker = Broker.from_url(url)

    @property
    def ticks(self) -> list[float]:
        return [message.ctx["scheduled_for"] for message in self.messages]

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        work = asyncio.create_task(self._work())
        yield
        work.cancel()
        await asyncio.wait({work})
        await self._broker.close()

    async def _work(self) -> None:
        while True:
            for one in await self._broker.consume_many(["mail:digest"], 100):
                self.lateness.append(time.time() - one.ctx["scheduled_for"])
                self.messages.append(one)
                await self._broker.ack(one)


def test_scheduler_and_consumer_meet_in_one_process() -> None:
    async def main() -> list[float]:
        consumer = Consumer("memory://meet")
        scheduler = Scheduler("memory://meet")
        scheduler.every(SOON, message())
        async with consumer.at_work():
            scheduler.start_background()
            await wait_until(lambda: len(consumer.messages) >= 10, 10, "ten ticks have come")
            await scheduler.stop()
        assert statistics.median(consumer.lateness) < 0.05
        return consumer.ticks

    ticks = asyncio.run(main())

    assert gaps(ticks) == [1] * (len(ticks) - 1)


def test_three_schedulers_in_threads_send_each_tick_once() -> None:
    schedulers = [Scheduler("memory://three") for _ in range(3)]
    for scheduler in schedulers:
        scheduler.every(SOON, message(), missed="all")

    async def main() -> list[float]:
        consumer = Consumer("memory://three")
        threads = [threading.Thread(target=scheduler.start) for scheduler in schedulers]
        async with consumer.at_work():
            for count, thread in enumerate(threads):
                thread.start()
                await wait_until(lambda n=count: len(consumer.messages) > 5 * n, 10, "5 more")
            for scheduler in schedulers:
                sent = len(consumer.messages)
                await wait_until(lambda n=sent: len(consumer.messages) > n + 3, 10, "4 more")
                await scheduler.stop()
        for thread in threads:
            thread.join(5)
        return consumer.ticks

    ticks = asyncio.run(main())

    assert gaps(ticks) == [1] * (len(ticks) - 1)
