"""The producer: sends what the harness asks for, from the peer's own environment.

`python -m produce ADAPTER WORK TASK COUNT` reports the rates as one JSON object. An
adapter with a `connect` sends by coroutines; any other by plain calls.
"""

import asyncio
import importlib
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

from peers.settings import REPORT, UVLOOP

ARGUMENTS: dict[str, tuple[object, ...]] = {
    "noop": (),
    "nap": (),
    "pair": ("ada@example.com", "welcome"),
}
AT_ONCE = 100
BULK = 1_000
PAUSE = 0.02

Send = Callable[..., Awaitable[object]]
Rates = dict[str, float]


class Producer:
    """One peer's ways to send, all of them awaited.

    A plain call wrapped in a coroutine costs about 0.1 us more than bare: nothing beside
    the 100 us of the quickest of them.
    """

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter
        self.is_async = hasattr(adapter, "connect")
        self.has_bulk = hasattr(adapter, "send_bulk")

    async def connect(self) -> None:
        if self.is_async:
            await self._adapter.connect()

    async def close(self) -> None:
        if self.is_async:
            await self._adapter.close()

    def sender(self, task: str) -> Send:
        send = self._adapter.sender(task)
        return send if self.is_async else _awaited(send)

    async def send_bulk(self, task: str, calls: list[tuple[object, ...]]) -> None:
        sent = self._adapter.send_bulk(task, calls)
        if self.is_async:
            await sent


def _awaited(call: Callable[..., object]) -> Send:
    async def send(*arguments: object) -> object:
        return call(*arguments)

    return send


async def one_by_one(producer: Producer, task: str, count: int) -> None:
    """Send, wait until it is stored, send the next."""
    send = producer.sender(task)
    for _ in range(count):
        await send(*ARGUMENTS[task])


async def at_once(producer: Producer, task: str, count: int) -> None:
    """Send 100 concurrently, then the next 100."""
    send = producer.sender(task)
    for calls in _batches(task, count, AT_ONCE):
        await asyncio.gather(*(send(*arguments) for arguments in calls))


async def bulk(producer: Producer, task: str, count: int) -> None:
    """Send 1,000 by the peer's own call for many, then the next 1,000."""
    for calls in _batches(task, count, BULK):
        await producer.send_bulk(task, calls)


async def fill(producer: Producer, task: str, count: int) -> Rates:
    """Put messages into the queue, in the quickest way that the peer has."""
    await (bulk if producer.has_bulk else at_once)(producer, task, count)
    return {}


async def send(producer: Producer, task: str, count: int) -> Rates:
    """Measure every way to send that the peer has."""
    ways = [one_by_one]
    ways += [at_once] if producer.is_async else []
    ways += [bulk] if producer.has_bulk else []
    await at_once(producer, task, AT_ONCE)  # opens the connections
    return {way.__name__: await _rate(way, producer, task, count) for way in ways}


async def stamp(producer: Producer, task: str, count: int) -> Rates:
    """Send the time of the send, with a pause after each."""
    send = producer.sender(task)
    for _ in range(count):
        await send(time.time())
        await asyncio.sleep(PAUSE)
    return {}


def _batches(task: str, count: int, size: int) -> Iterator[list[tuple[object, ...]]]:
    for start in range(0, count, size):
        yield list(repeat(ARGUMENTS[task], min(size, count - start)))


async def _rate(
    way: Callable[[Producer, str, int], Awaitable[None]],
    producer: Producer,
    task: str,
    count: int,
) -> float:
    begin = time.perf_counter()
    await way(producer, task, count)
    return count / (time.perf_counter() - begin)


async def _produce(adapter: str, work: str, task: str, count: str) -> Rates:
    producer = Producer(importlib.import_module(f"peers.{adapter}"))
    await producer.connect()
    try:
        return await WORKS[work](producer, task, int(count))
    finally:
        await producer.close()


def _new_loop() -> asyncio.AbstractEventLoop:
    if not UVLOOP:
        return asyncio.new_event_loop()
    uvloop = importlib.import_module("uvloop")
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


WORKS = {"fill": fill, "send": send, "stamp": stamp}

if __name__ == "__main__":
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        rates = runner.run(_produce(*sys.argv[1:]))
    Path(REPORT).write_text(json.dumps(rates))
