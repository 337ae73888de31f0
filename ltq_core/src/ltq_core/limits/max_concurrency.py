"""`MaxConcurrency`: how many messages of a task may run at once."""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from ltq_core.abilities import QueueLimits
from ltq_core.errors import DeferError
from ltq_core.middleware import Middleware, Options
from ltq_core.values import parse_count

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ltq_core.message import Message
    from ltq_core.task import Task

# A guess: how long a message that found no place waits before it is tried again.
LOOK_AGAIN = 0.2


class MaxConcurrency(Middleware):
    """Lets only `max_concurrency` messages of a task run at once.

    As with `MaxRate`, a broker that shares limits enforces it in this one's stead,
    for all workers together; elsewhere it limits this worker alone.
    """

    options: ClassVar[Options] = {"max_concurrency": parse_count}

    def __init__(self) -> None:
        self._running: Counter[tuple[str, str]] = Counter()

    def limits(self, task: Task[Any, Any]) -> QueueLimits | None:
        """The limit that *task* declares."""
        most = task.options.get("max_concurrency")
        return most and QueueLimits(
            concurrency=most, concurrency_keyed="concurrency_key" in task.options
        )

    def applies(self, task: Task[Any, Any]) -> bool:
        """Only to tasks that declare ``max_concurrency``."""
        return "max_concurrency" in task.options

    @asynccontextmanager
    async def __call__(self, message: Message, task: Task[Any, Any]) -> AsyncIterator[None]:
        """Defer a message for which no place is free."""
        key = (task.name, message.ctx.get("concurrency_key", ""))
        if self._running[key] >= task.options["max_concurrency"]:
            raise DeferError(LOOK_AGAIN, "waits for a place of max_concurrency")
        self._running[key] += 1
        try:
            yield
        finally:
            self._running[key] -= 1
            if not self._running[key]:
                del self._running[key]
