"""celery: a pool of threads, results ignored, no remote control."""

from collections.abc import Callable

from celery import Celery
from peers.settings import URL
from peers.sync_tasks import ALL

app = Celery(broker=URL)
app.conf.update(
    task_ignore_result=True,
    worker_enable_remote_control=False,
    broker_connection_retry_on_startup=True,
)
_tasks = {function.__name__: app.task(name=function.__name__)(function) for function in ALL}


def sender(task: str) -> Callable[..., object]:
    return _tasks[task].delay
