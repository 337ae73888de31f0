"""What is checked and arranged before a worker runs or a task is first sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ltq_core.abilities import QueueLimits, SharedLimits
from ltq_core.errors import ConfigurationError
from ltq_core.logger import describe, get_logger
from ltq_core.plugins import schemes_with
from ltq_core.worker.options import check_options, ineffective_options
from ltq_core.worker.stack import limits_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ltq_core.broker import Broker
    from ltq_core.middleware import Middleware
    from ltq_core.task import Task

log = get_logger("worker")


@dataclass(frozen=True)
class Prepared:
    """Tasks and a stack that are about to be used."""

    tasks: Sequence[Task[Any, Any]]
    middlewares: Sequence[Middleware]

    def check(self, broker: Broker) -> None:
        """Check all that can be checked before the first message.

        Raises:
            ConfigurationError: An unknown option, or an annotation that never resolves.
        """
        check_options(self.tasks, self.middlewares)
        for task in self.tasks:
            task.arguments.resolve()
        for name, option in ineffective_options(self.tasks, self.middlewares):
            log.warning(
                "%s of task '%s' has no effect: its middleware is not in the stack.",
                option,
                name,
            )
        limited = [name for name, limits in self._limits() if limits != QueueLimits()]
        if limited and not isinstance(broker, SharedLimits):
            log.warning(
                "%s offers no shared limits: those of %s hold for this worker alone "
                "(brokers that share them: %s).",
                type(broker).__name__,
                ", ".join(limited),
                ", ".join(schemes_with(SharedLimits)) or "none is installed",
            )

    def warn(self) -> None:
        """What `check` would raise, as a warning: for a process that only sends."""
        try:
            check_options(self.tasks, self.middlewares)
        except ConfigurationError as error:
            log.warning("%s", describe(error))

    async def share_limits(self, broker: Broker) -> None:
        """Hand the tasks' limits to a broker that shares them.

        Raises:
            BrokerUnavailableError: It did not answer; calling again is safe.
        """
        if isinstance(broker, SharedLimits):
            for name, limits in self._limits():
                await broker.set_limits(name, limits)

    def _limits(self) -> list[tuple[str, QueueLimits]]:
        # A task without limits is named too: it may have had some yesterday.
        return [
            (one.name, limits_of(one, self.middlewares) or QueueLimits()) for one in self.tasks
        ]
