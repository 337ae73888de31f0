"""`Worker`: a registry of tasks, and the process that runs them."""

from __future__ import annotations

import asyncio
import functools
import threading
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, overload

from ltq_core.abilities import SharedLimits
from ltq_core.broker import Broker, broker_url_of
from ltq_core.errors import (
    BrokerError,
    BrokerUnavailableError,
    ConfigurationError,
    DuplicateWorkerError,
)
from ltq_core.logger import describe, get_logger
from ltq_core.patience import pause
from ltq_core.plugins import default_middlewares, join_late, worker_lifespans
from ltq_core.task import Task
from ltq_core.worker import stack
from ltq_core.worker.engine import Engine
from ltq_core.worker.options import check_parameters, parse_options
from ltq_core.worker.prepare import Prepared

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from types import TracebackType

    from ltq_core.middleware import Middleware

P = ParamSpec("P")
R = TypeVar("R")

log = get_logger("worker")

SHUTDOWN_TIMEOUT = 25.0  # seconds; must stay below Kubernetes' 30 between TERM and KILL


class Worker:
    """A named set of tasks, run with bounded concurrency.

    Args:
        name: The first part of its tasks' names; no colon, brace or control character.
        broker_url: Where its queues are; ``LTQ_BROKER_URL`` or
            ``redis://localhost:6379`` by default. Nothing is connected yet.
        concurrency: How many runs there may be at once, over all its tasks.
        middlewares: Replaces the default stack, the first outermost.

    Attributes:
        name: As given.
        tasks: Its tasks by name.
        middlewares: The stack, the first outermost; change it before `run`.
        concurrency: As given.
    """

    def __init__(
        self,
        name: str,
        broker_url: str | None = None,
        concurrency: int = 100,
        middlewares: Iterable[Middleware] | None = None,
    ) -> None:
        _check_name(name, "worker")
        self.name = name
        self.concurrency = _check_concurrency(concurrency)
        self.tasks: dict[str, Task[Any, Any]] = {}
        self.middlewares: list[Middleware] = (
            default_middlewares() if middlewares is None else list(middlewares)
        )
        self._has_default_stack = middlewares is None
        self._broker_url = broker_url
        self._checked_senders = False
        self._state = threading.Lock()
        self._stopping = False
        self._stop: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._engine: Engine | None = None

    def __repr__(self) -> str:
        return f"<Worker {self.name}: {len(self.tasks)} tasks>"

    @functools.cached_property
    def broker(self) -> Broker:
        """The broker, made at its first use; assign another one before that.

        Raises:
            UnknownSchemeError: No installed plugin offers the URL's scheme.
        """
        return Broker.from_url(self.broker_url)

    @property
    def broker_url(self) -> str:
        """The URL of its broker, password included: show it only through ``redact``."""
        return broker_url_of(self._broker_url)

    @overload
    def task(self, function: Callable[P, Awaitable[R]], /) -> Task[P, R]: ...
    @overload
    def task(self, function: Callable[P, R], /) -> Task[P, R]: ...
    @overload
    def task(self, /, **options: Any) -> _Decorator: ...

    def task(self, function: Any = None, /, **options: Any) -> Any:
        """Register a function as a task, with or without options in parentheses.

        Args:
            function: Async, or plain: then it runs in a thread. The name of a
                ``functools.partial`` is that of what it calls.
            options: What middleware and the worker understand, such as ``max_tries``,
                ``max_age``, ``max_rate``, ``timeout``.

        Raises:
            OptionValueError: An option's value makes no sense.
            ConfigurationError: It has no name, or a parameter's annotation cannot be
                carried by JSON.
            DuplicateWorkerError: The worker has a task of that name.
        """
        if function is not None:
            return self._register(function, options)
        return lambda decorated: self._register(decorated, options)

    def register_middleware(self, middleware: Middleware, pos: int = -1) -> None:
        """Add *middleware* to the stack at *pos*; -1 appends: innermost."""
        stack.insert(self.middlewares, middleware, pos)

    def senders(self, task: Task[Any, Any]) -> tuple[Middleware, ...]:
        """The middleware that wraps a send of *task*, outermost first."""
        if not self._checked_senders:
            self._checked_senders = True
            self._prepare().warn()
        return stack.senders(task, self.middlewares)

    async def run(
        self,
        *,
        shutdown_timeout: float = SHUTDOWN_TIMEOUT,
        connect_timeout: float | None = None,
    ) -> None:
        """Run messages until `stop`, then finish what runs.

        Args:
            shutdown_timeout: Seconds that running tasks have to finish; what outlasts
                them is cancelled and given back untouched.
            connect_timeout: Seconds to wait for a broker that is away at the start;
                None waits for ever.

        Raises:
            ConfigurationError: Options, annotations or names cannot work.
            BrokerUnavailableError: The broker stayed away for *connect_timeout*.

        Cancellation:
            What runs is given back at once, and the broker is closed.
        """
        stop = self._open()
        try:
            prepared = self._prepare()
            prepared.check(self.broker)
            async with AsyncExitStack() as exits:
                exits.push_async_callback(self._close_broker)
                for lifespan in worker_lifespans(self):
                    await exits.enter_async_context(lifespan)
                if await self._connect(prepared, stop, connect_timeout):
                    self._engine = Engine(
                        self.name,
                        self.broker,
                        self.tasks,
                        self.middlewares,
                        self.concurrency,
                        shared_limits=isinstance(self.broker, SharedLimits),
                    )
                    await self._engine.run(stop, shutdown_timeout)
        finally:
            self._engine = None
            self._stop = None
            self._stopping = False

    def stop(self) -> None:
        """Claim no more, finish what runs, and let `run` return.

        Concurrency:
            Safe from any thread and from signal handlers; before `run` it makes the
            next one return at once.
        """
        self._stopping = True
        if (running := self._stop) is not None:  # read once: the run may be ending now
            loop, event = running
            try:
                loop.call_soon_threadsafe(event.set)
            except RuntimeError:
                log.debug("The worker '%s' had ended already", self.name)

    def forget_stop(self) -> None:
        """Take back a `stop` that came when `run` had ended already."""
        self._stopping = False

    async def give_back(self) -> int:
        """Return what runs to its queues, untouched, without waiting for the runs.

        For the last moment of a process whose worker's event loop is blocked: call it
        from another loop, then exit.

        Returns:
            How many messages were returned.
        """
        engine = self._engine
        runs = [] if engine is None else list(engine.runs.active)
        for run in runs:
            run.given_back = True
        if engine is not None:
            await engine.give_back(runs)
        return len(runs)

    async def __aenter__(self) -> Self:
        """Open the broker."""
        _ = self.broker
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the broker."""
        await self._close_broker()

    def _register(self, function: Any, options: dict[str, Any]) -> Task[Any, Any]:
        own_name = _name_of(function)
        _check_name(own_name, "task")
        name = f"{self.name}:{own_name}"
        if name in self.tasks:
            raise DuplicateWorkerError(f"Worker '{self.name}' already has a task '{name}'.")
        parsed = parse_options(name, options, self.middlewares)
        task: Task[Any, Any] = Task(function, name, self, parsed, options)
        check_parameters(task)
        self.tasks[name] = task
        return task

    def _prepare(self) -> Prepared:
        if self._has_default_stack:
            join_late(self.middlewares)
        return Prepared(tuple(self.tasks.values()), self.middlewares)

    def _open(self) -> asyncio.Event:
        event = asyncio.Event()
        with self._state:
            if self._stop is not None:
                raise RuntimeError(f"Worker '{self.name}' is running already.")
            self._stop = asyncio.get_running_loop(), event
        if self._stopping:
            event.set()
        if not self.tasks:
            self._stop = None
            raise ConfigurationError(f"Worker '{self.name}' has no task to run.")
        return event

    async def _connect(
        self, prepared: Prepared, stop: asyncio.Event, timeout: float | None
    ) -> bool:
        """Wait for the broker, and hand it the limits; False if `stop` came first."""
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        attempt = 0
        while not stop.is_set():
            try:
                await self._look()
                await prepared.share_limits(self.broker)
                return True
            except BrokerUnavailableError as error:
                if deadline is not None and loop.time() >= deadline:
                    raise
                delay = pause(attempt)
                log.warning(
                    "Waiting for the broker, asking again in %.2f s: %s", delay, describe(error)
                )
                attempt += 1
                try:
                    await asyncio.wait_for(stop.wait(), delay)
                except TimeoutError:
                    continue
        return False

    async def _look(self) -> None:
        """Look into some queue; one that is spoiled stops none of the others.

        Raises:
            BrokerUnavailableError: The broker does not answer.
            BrokerError: It refuses all of them, as where the password is wrong.
        """
        failures: list[BrokerError] = []
        for queue in self.tasks:
            try:
                await self.broker.size(queue)
            except BrokerUnavailableError:
                raise
            except BrokerError as error:
                failures.append(error)
            else:
                return
        raise failures[0]

    async def _close_broker(self) -> None:
        try:
            await self.broker.close()
        except BrokerUnavailableError as error:
            log.warning("Leases end by themselves; the broker is away: %s", describe(error))


class _Decorator:
    """What `Worker.task` with options returns, as type checkers see it."""

    @overload
    def __call__(self, function: Callable[P, Awaitable[R]], /) -> Task[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Task[P, R]: ...
    def __call__(self, function: Any, /) -> Any:
        raise NotImplementedError


def _check_concurrency(concurrency: int) -> int:
    if not isinstance(concurrency, int) or concurrency < 1:
        raise ConfigurationError(
            f"concurrency must be a whole number of at least 1, not {concurrency!r}."
        )
    return concurrency


def _name_of(function: Any) -> str:
    while isinstance(function, functools.partial) and not hasattr(function, "__qualname__"):
        function = function.func
    name = getattr(function, "__qualname__", None)
    if not isinstance(name, str):
        raise ConfigurationError(
            "A task takes its name from its function, and an object of "
            f"{type(function).__qualname__} has none: wrap it in a function with 'def'."
        )
    return name


def _check_name(name: str, kind: str) -> None:
    bad = not name or any(c in "{}" or not c.isprintable() for c in name)
    if bad or (kind == "worker" and ":" in name):
        raise ConfigurationError(
            f"A {kind}'s name must be printable, without braces"
            f"{' or colons' if kind == 'worker' else ''}, not {name!r}."
        )
