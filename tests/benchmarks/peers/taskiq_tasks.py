"""What both taskiq brokers share. Without a result backend taskiq keeps no results."""

from collections.abc import Awaitable, Callable

from peers.async_tasks import ALL
from taskiq import AsyncBroker


class Producer:
    """The tasks of one broker, and how to send them."""

    def __init__(self, broker: AsyncBroker) -> None:
        self._broker = broker
        self._tasks = {
            function.__name__: broker.register_task(function, task_name=function.__name__)
            for function in ALL
        }

    async def connect(self) -> None:
        await self._broker.startup()

    async def close(self) -> None:
        await self._broker.shutdown()

    def sender(self, task: str) -> Callable[..., Awaitable[object]]:
        return self._tasks[task].kiq
