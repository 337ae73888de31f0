"""saq: results off (ttl=-1), hiredis, as many operations at once as tasks."""

import inspect
from collections.abc import Awaitable, Callable

from peers.async_tasks import ALL
from peers.settings import CONCURRENCY, URL
from saq import Queue

queue = Queue.from_url(URL, max_concurrent_ops=CONCURRENCY)


def _with_context(function: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def run(_context: object, **arguments: object) -> None:
        await function(**arguments)

    return run


_names = {function.__name__: tuple(inspect.signature(function).parameters) for function in ALL}
settings = {
    "queue": queue,
    "functions": [(function.__name__, _with_context(function)) for function in ALL],
    "concurrency": CONCURRENCY,
}


async def connect() -> None:
    await queue.connect()


async def close() -> None:
    await queue.disconnect()


def sender(task: str) -> Callable[..., Awaitable[object]]:
    names = _names[task]

    def send(*arguments: object) -> Awaitable[object]:
        return queue.enqueue(task, ttl=-1, **dict(zip(names, arguments, strict=True)))

    return send
