"""`Task`: a registered function that can be sent, and called."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import threading
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, Protocol, TypeVar

from ltq_core.abilities import UniquePublish
from ltq_core.arguments import Arguments
from ltq_core.errors import ConfigurationError, DuplicateMessageError
from ltq_core.message import Message
from ltq_core.plugins import schemes_with
from ltq_core.sends import around, around_each
from ltq_core.values import LONGEST, seconds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
    from datetime import timedelta

    from ltq_core.broker import Broker
    from ltq_core.middleware import Middleware

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

OnDuplicate = Literal["skip", "raise"]


class Owner(Protocol):
    """What a task needs of the worker that declared it."""

    @property
    def broker(self) -> Broker:
        """Where its messages go."""
        ...

    def senders(self, task: Task[Any, Any]) -> tuple[Middleware, ...]:
        """The middleware that wraps its sends, outermost first; asked at the first send."""
        ...


class Task(Generic[P, R]):
    """A function whose runs can be requested by messages.

    `Worker.task` makes it; nobody else needs to. Calling it with ``await`` calls the
    function directly, without a broker or middleware.

    Attributes:
        name: ``worker:function``; also the name of its queue.
        function: The function itself, async or plain.
        options: What was declared, values parsed; read-only.
        declared: The same as it was written.
        arguments: How its arguments travel.

    Concurrency:
        A task may be sent from any thread and any event loop.
    """

    def __init__(
        self,
        function: Callable[P, Awaitable[R]] | Callable[P, R],
        name: str,
        owner: Owner,
        options: Mapping[str, Any] | None = None,
        declared: Mapping[str, Any] | None = None,
    ) -> None:
        self.function = function
        self.name = name
        self.options = MappingProxyType(dict(options or {}))
        self.declared = self.options if declared is None else MappingProxyType(dict(declared))
        self.arguments = Arguments(function, name)
        self.is_async = is_async(function)
        self._owner = owner
        self._senders: tuple[Middleware, ...] | None = None
        self._keys = tuple(
            (option, self.options[option])
            for option in ("rate_key", "concurrency_key")
            if option in self.options
        )
        # Not the function's own attributes: they would stand before those of a task.
        functools.update_wrapper(self, function, updated=())

    def __repr__(self) -> str:
        return f"<Task {self.name}>"

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function directly, in this event loop; a plain one blocks it."""
        made: Any = self.function(*args, **kwargs)
        result: R = await made if self.is_async else made
        return result

    def message(self, *args: P.args, **kwargs: P.kwargs) -> Message:
        """Build a message without sending it.

        Raises:
            TypeError: The arguments do not fit the function's signature.
            EncodeError: One of them would not arrive as it is; names it.
        """
        plain_args, plain_kwargs = self.arguments.dump(args, kwargs)
        message = Message(plain_args, plain_kwargs, self.name)
        for option, parameter in self._keys:
            value = self.arguments.value(parameter, args, kwargs)
            message.ctx[option] = str(value)
        return message

    async def send(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Publish a message; it is stored when this returns.

        Returns:
            The message's id.

        Raises:
            TypeError: The arguments do not fit the function's signature.
            EncodeError: One of them cannot be stored, or would not arrive equal.
            BrokerUnavailableError: The store did not answer: whether the message was
                stored is unknown.

        Cancellation:
            The message may or may not have been stored.
        """
        return await self._publish(self.message(*args, **kwargs))

    async def send_many(self, messages: Iterable[Message]) -> list[str]:
        """Publish *messages* of this task in bulk, in their order.

        Returns:
            Their ids.

        Raises:
            ValueError: One belongs to another task; nothing was sent.
            BrokerUnavailableError: Some may have been stored; sending the same
                messages again is safe.

        Cancellation:
            Some may have been stored.
        """
        return await self._publish_many(list(messages))

    def send_sync(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """`send` for synchronous code; see there.

        Raises:
            RuntimeError: An event loop is running in this thread: ``await send()``.
        """
        return run_sync(self.send(*args, **kwargs))

    def with_options(
        self,
        *,
        delay: float | timedelta = 0,
        unique: str | None = None,
        unique_for: float | timedelta = 0,
        on_duplicate: OnDuplicate = "skip",
    ) -> Sender[P]:
        """This task with settings for single sends.

        Args:
            delay: Seconds until the message is due.
            unique: Let no second message of this task with this key wait or run.
            unique_for: Hold the key at least that many seconds from the send.
            on_duplicate: Where the key is held, ``"skip"`` stores nothing and returns
                the id of the message that stands; ``"raise"`` raises
                `DuplicateMessageError`.

        Raises:
            TypeError: An option that belongs to the decorator, or a delay that is none.
            ValueError: A value that makes no sense.
        """
        return Sender(self, seconds(delay), unique, seconds(unique_for), on_duplicate)

    async def _publish(self, message: Message, delay: float = 0) -> str:
        if senders := self._around_sends():
            broker = self._owner.broker
            await around(senders, self, message, lambda one: broker.publish(one, delay))
        else:
            await self._owner.broker.publish(message, delay)
        return message.id

    async def _publish_many(self, messages: list[Message], delay: float = 0) -> list[str]:
        for message in messages:
            if message.task_name != self.name:
                raise ValueError(
                    f"Task '{self.name}' cannot send a message of '{message.task_name}'."
                )
        broker = self._owner.broker
        if senders := self._around_sends():
            await around_each(
                senders, self, messages, lambda bulk: broker.publish_many(bulk, delay)
            )
        else:
            await broker.publish_many(messages, delay)
        return [message.id for message in messages]

    def _around_sends(self) -> tuple[Middleware, ...]:
        if self._senders is None:
            self._senders = self._owner.senders(self)
        return self._senders


class Sender(Generic[P]):
    """A task together with settings for single sends; `Task.with_options` makes it."""

    def __init__(
        self,
        task: Task[P, Any],
        delay: float,
        unique: str | None,
        unique_for: float,
        on_duplicate: OnDuplicate,
    ) -> None:
        _check_sending(task.name, delay, unique, unique_for, on_duplicate)
        self._task = task
        self._delay = delay
        self._unique = unique
        self._hold = unique_for
        self._on_duplicate = on_duplicate

    async def send(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """`Task.send` with these settings.

        Raises:
            DuplicateMessageError: The key is held, and ``on_duplicate="raise"``.
            ConfigurationError: ``unique`` on a broker that cannot hold keys.
        """
        message = self._task.message(*args, **kwargs)
        if self._unique is None:
            return await self._task._publish(message, self._delay)
        return await self._send_unique(message, self._unique)

    async def send_many(self, messages: Iterable[Message]) -> list[str]:
        """`Task.send_many` with these settings.

        Raises:
            ValueError: ``unique`` is set: one key cannot be held by many.
        """
        if self._unique is not None:
            raise ValueError("unique= holds one key for one message: use send() for each.")
        return await self._task._publish_many(list(messages), self._delay)

    def send_sync(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """`Task.send_sync` with these settings."""
        return run_sync(self.send(*args, **kwargs))

    async def _send_unique(self, message: Message, key: str) -> str:
        task = self._task
        broker = task._owner.broker
        if not isinstance(broker, UniquePublish):
            raise ConfigurationError(
                f"unique= of task '{task.name}' needs a broker that can hold keys, "
                f"which {type(broker).__name__} cannot (those that can: "
                f"{', '.join(schemes_with(UniquePublish)) or 'none is installed'})."
            )
        message.ctx["unique"] = key
        existing = await around(
            task._around_sends(),
            task,
            message,
            lambda one: broker.publish_unique(one, key, self._hold, self._delay),
        )
        if existing != message.id and self._on_duplicate == "raise":
            raise DuplicateMessageError(key, existing)
        return existing


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling *function* makes a coroutine: it does, or what it wraps does."""
    return _makes_coroutine(inspect.unwrap(function, stop=_makes_coroutine))


def _makes_coroutine(function: Callable[..., Any]) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 (an object with an async __call__)
    )


_ALLOWED = f"must be from 0 to {LONGEST:g} seconds"


def _check_sending(
    name: str, delay: float, unique: object, unique_for: float, on_duplicate: str
) -> None:
    if not 0 <= delay <= LONGEST:
        raise ValueError(f"delay of a send of '{name}' {_ALLOWED}, not {delay}.")
    if on_duplicate not in ("skip", "raise"):
        raise ValueError(f"on_duplicate must be 'skip' or 'raise', not {on_duplicate!r}.")
    if unique is None and (unique_for or on_duplicate != "skip"):
        raise ValueError("unique_for and on_duplicate need a unique key.")
    if unique is not None and not (isinstance(unique, str) and unique):
        raise ValueError(f"unique must be a text that is not empty, not {unique!r}.")
    if not 0 <= unique_for <= LONGEST:
        raise ValueError(f"unique_for {_ALLOWED}, not {unique_for}.")


class _Background:
    """The one event loop of a process that serves synchronous sends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(
                    target=self._loop.run_forever, name="ltq-send-sync", daemon=True
                ).start()
            return self._loop


_background = _Background()


def _forget_background() -> None:
    global _background  # noqa: PLW0603 (threads do not survive a fork)
    _background = _Background()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_background)


def run_sync(call: Coroutine[Any, Any, T]) -> T:
    """Wait for *call* from synchronous code, in the process's background loop.

    Raises:
        RuntimeError: An event loop is running in this thread.
    """
    if asyncio._get_running_loop() is not None:
        call.close()
        raise RuntimeError("An event loop is running here: use 'await send(...)'.")
    return asyncio.run_coroutine_threadsafe(call, _background.loop()).result()
