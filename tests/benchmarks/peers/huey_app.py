"""huey: results off, worker threads that block on Redis."""

from collections.abc import Callable

from huey import RedisHuey
from peers.settings import URL
from peers.sync_tasks import ALL

huey = RedisHuey("bench", url=URL, results=False)
_tasks = {function.__name__: huey.task()(function) for function in ALL}


def sender(task: str) -> Callable[..., object]:
    return _tasks[task]
