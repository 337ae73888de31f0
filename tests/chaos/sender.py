"""Sends what `Stage.send` does not know: messages of other tasks than `work/tasks.py` has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from ltq_core import Broker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stage import Stage

    import ltq


class Sender:
    """The tasks of *worker*, to be sent from here to the stage's Redis.

    Args:
        stage: Whose messages they are.
        worker: It declares the tasks; each takes a key, steps and a group.
    """

    def __init__(self, stage: Stage, worker: ltq.Worker) -> None:
        self._stage = stage
        self._worker = worker
        worker.broker = Broker.from_url(stage.url)

    async def __aenter__(self) -> Self:
        await self._worker.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._worker.__aexit__(None, None, None)

    @property
    def broker(self) -> Any:
        """The broker, with all its abilities."""
        return self._worker.broker

    def task(self, name: str) -> ltq.Task[Any, Any]:
        """The task *name*."""
        return self._worker.tasks[f"{self._worker.name}:{name}"]

    async def send(
        self,
        task: str,
        count: int,
        *steps: str,
        groups: Sequence[str] = ("",),
        delay: float = 0,
    ) -> list[str]:
        """Send *count* messages in bulk that do *steps*, of each group in turn; their keys."""
        sender, keys = self.task(task), self._stage.new_keys(count)
        messages = [
            sender.message(key, list(steps), groups[number % len(groups)])
            for number, key in enumerate(keys)
        ]
        await sender.with_options(delay=delay).send_many(messages)
        self._stage.accepted += keys
        return keys
