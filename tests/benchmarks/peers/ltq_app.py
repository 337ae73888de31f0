"""LTQ: the public API, default middleware."""

from collections.abc import Awaitable, Callable, Sequence

from peers.async_tasks import ALL
from peers.settings import QUEUE, URL

from ltq import Worker

worker = Worker(QUEUE, broker_url=URL)
_tasks = {function.__name__: worker.task()(function) for function in ALL}


async def connect() -> None:
    """Nothing to do: the broker connects with the first send."""


async def close() -> None:
    await worker.broker.close()


def sender(task: str) -> Callable[..., Awaitable[object]]:
    return _tasks[task].send


async def send_bulk(task: str, calls: Sequence[tuple[object, ...]]) -> None:
    chosen = _tasks[task]
    await chosen.send_many([chosen.message(*arguments) for arguments in calls])
