"""What one ``ltq run`` runs: workers, an app of them, schedulers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self

from ltq_core.cli.serve import Service
from ltq_core.cli.target import Kind, kind_of, load_target
from ltq_core.errors import ConfigurationError

if TYPE_CHECKING:
    from ltq_core.app import App
    from ltq_core.scheduler import Scheduler
    from ltq_core.worker import Worker


@dataclass(frozen=True)
class Crew:
    """Who works together in one process.

    Attributes:
        leader: The worker or app, if there is one.
        workers: The worker, or those of the app.
        schedulers: The schedulers.
    """

    leader: Worker | App | None
    workers: tuple[Worker, ...]
    schedulers: tuple[Scheduler, ...]

    @classmethod
    def load(cls, target: str, scheduler: str | None, *, as_app: bool) -> Self:
        """Load *target* and the *scheduler* beside it.

        Raises:
            ConfigurationError: One is not there, or is something else.
        """
        kinds: tuple[Kind, ...] = ("app",) if as_app else ("worker", "app", "scheduler")
        found = load_target(target, *kinds)
        beside = (load_target(scheduler, "scheduler"),) if scheduler else ()
        match kind_of(found):
            case "worker":
                return cls(found, (found,), beside)
            case "app":
                return cls(found, tuple(found.workers.values()), beside)
            case _:
                return cls(None, (), (found, *beside))

    def limit(self, concurrency: int) -> None:
        """Let each worker run *concurrency* messages at once.

        Raises:
            ConfigurationError: There is no worker.
        """
        if not self.workers:
            raise ConfigurationError(
                "--concurrency limits a worker, and here is none. Leave it out."
            )
        for worker in self.workers:
            worker.concurrency = concurrency

    def services(self, grace: float, connect_timeout: float | None) -> list[Service]:
        """What to run: the leader, and each scheduler in an event loop of its own."""
        services = [
            Service(
                "scheduler",
                partial(scheduler.run, connect_timeout=connect_timeout),
                scheduler.request_stop,
            )
            for scheduler in self.schedulers
        ]
        if (leader := self.leader) is not None:
            run = partial(leader.run, shutdown_timeout=grace, connect_timeout=connect_timeout)
            services.insert(0, Service("main", run, leader.stop))
        return services
