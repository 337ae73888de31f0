"""dramatiq: its asyncio middleware, so that the tasks are coroutines like everybody's."""

from collections.abc import Callable

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware.asyncio import AsyncIO
from peers.async_tasks import ALL
from peers.settings import URL

broker = RedisBroker(url=URL)
broker.add_middleware(AsyncIO())
dramatiq.set_broker(broker)
_actors = {function.__name__: dramatiq.actor(function) for function in ALL}


def sender(task: str) -> Callable[..., object]:
    return _actors[task].send
