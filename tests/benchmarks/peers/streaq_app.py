"""streaq: results off (ttl=0), bulk sends by its pipelined enqueue_many."""

from collections.abc import Awaitable, Callable, Sequence

from peers.async_tasks import ALL
from peers.settings import CONCURRENCY, URL
from streaq import Worker

worker = Worker(redis_url=URL, concurrency=CONCURRENCY)
_tasks = {function.__name__: worker.task(ttl=0)(function) for function in ALL}


async def connect() -> None:
    await worker.__aenter__()


async def close() -> None:
    await worker.__aexit__(None, None, None)


def sender(task: str) -> Callable[..., Awaitable[object]]:
    return _tasks[task].enqueue


async def send_bulk(task: str, calls: Sequence[tuple[object, ...]]) -> None:
    enqueue = _tasks[task].enqueue
    await worker.enqueue_many([enqueue(*arguments) for arguments in calls])
