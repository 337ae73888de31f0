"""rq: results off (result_ttl=0); the worker that does not fork is the quick one."""

from collections.abc import Callable, Sequence
from functools import partial

from peers.settings import URL
from peers.sync_tasks import ALL
from redis import Redis
from rq import Queue

queue = Queue("bench", connection=Redis.from_url(URL))
_functions = {function.__name__: function for function in ALL}


def sender(task: str) -> Callable[..., object]:
    return partial(queue.enqueue, _functions[task], result_ttl=0)


def send_bulk(task: str, calls: Sequence[tuple[object, ...]]) -> None:
    function = _functions[task]
    queue.enqueue_many(
        [Queue.prepare_data(function, args=arguments, result_ttl=0) for arguments in calls]
    )
