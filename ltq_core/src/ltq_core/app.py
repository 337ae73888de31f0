"""`App`: several workers in one process, each in a thread with its own event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from ltq_core.errors import ConfigurationError, DuplicateWorkerError
from ltq_core.logger import describe, get_logger
from ltq_core.worker import SHUTDOWN_TIMEOUT, Worker
from ltq_core.worker.loop import new_event_loop, run_to_its_end
from ltq_core.worker.stack import insert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ltq_core.middleware import Middleware

log = get_logger("app")


class App:
    """Runs its workers side by side; what blocks one does not block the others.

    Args:
        middlewares: Goes before the stack of every worker, the first outermost.

    Attributes:
        middlewares: As given and registered.
        workers: By name, in the order of registration.
    """

    def __init__(self, middlewares: Iterable[Middleware] | None = None) -> None:
        self.middlewares: list[Middleware] = list(middlewares or ())
        self.workers: dict[str, Worker] = {}

    def register_worker(self, worker: Worker) -> None:
        """Add *worker*, the app's middleware before its own.

        Raises:
            DuplicateWorkerError: The app has a worker of that name.
        """
        if worker.name in self.workers:
            raise DuplicateWorkerError(f"The app already has a worker '{worker.name}'.")
        self.workers[worker.name] = worker
        worker.middlewares[:0] = self.middlewares

    def register_middleware(self, middleware: Middleware, pos: int = -1) -> None:
        """Add *middleware* for the workers registered before and after this call.

        Args:
            middleware: One instance, used by all workers.
            pos: Where it stands among the app's; -1 appends: innermost of the app's,
                still outside of each worker's own.
        """
        insert(self.middlewares, middleware, pos)
        outer = self.middlewares[: self.middlewares.index(middleware)]
        for worker in self.workers.values():
            # A worker may have put some of its own between the app's since.
            places = [at for at, one in enumerate(worker.middlewares, 1) if one in outer]
            worker.middlewares.insert(max(places, default=0), middleware)

    async def run(
        self,
        *,
        shutdown_timeout: float = SHUTDOWN_TIMEOUT,
        connect_timeout: float | None = None,
    ) -> None:
        """Run all workers until `stop`; one that dies takes the others down with it.

        Args:
            shutdown_timeout: See `Worker.run`.
            connect_timeout: See `Worker.run`.

        Raises:
            ConfigurationError: The app has no worker.
            BaseException: What the first worker that died raised, after the others ended.

        Cancellation:
            Every worker is stopped and waited for.
        """
        if not self.workers:
            raise ConfigurationError("The app has no worker to run.")
        failures: list[BaseException] = []
        threads = [
            _WorkerThread(worker, shutdown_timeout, connect_timeout, self.stop, failures)
            for worker in self.workers.values()
        ]
        for thread in threads:
            thread.start()
        try:
            await asyncio.gather(*(thread.ended() for thread in threads))
        except asyncio.CancelledError:
            self.stop()
            await asyncio.gather(*(thread.ended() for thread in threads))
            raise
        finally:
            for worker in self.workers.values():
                worker.forget_stop()
        if failures:
            raise failures[0]

    def stop(self) -> None:
        """Stop every worker; see `Worker.stop`. Safe from any thread."""
        for worker in self.workers.values():
            worker.stop()


class _WorkerThread(threading.Thread):
    # A daemon: a blocked worker must not keep the process from exiting after its
    # messages were given back.
    def __init__(
        self,
        worker: Worker,
        grace: float,
        connect_timeout: float | None,
        stop_all: Callable[[], None],
        failures: list[BaseException],
    ) -> None:
        super().__init__(name=f"ltq-{worker.name}", daemon=True)
        self._failures = failures
        self._worker = worker
        self._grace = grace
        self._connect_timeout = connect_timeout
        self._stop_all = stop_all
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()

    async def ended(self) -> None:
        await asyncio.shield(self._ended)

    def run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                run_to_its_end(
                    runner,
                    self._worker.run(
                        shutdown_timeout=self._grace, connect_timeout=self._connect_timeout
                    ),
                )
        except BaseException as error:
            # `App.run` raises the first failure, when the others have ended: not twice.
            why = describe(error) if self._failures else "the app ends"
            log.error("Worker '%s' died: %s", self._worker.name, why)
            self._failures.append(error)
        finally:
            self._report()

    def _report(self) -> None:
        # One that ended, for whatever reason, ends the app.
        self._stop_all()
        try:
            self._loop.call_soon_threadsafe(self._ended.set_result, None)
        except RuntimeError:
            log.debug("The app had ended before worker '%s'", self._worker.name)
