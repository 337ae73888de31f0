"""The middleware stack: put in order, and compiled once per task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ltq_core.middleware import DeclaresLimits, Middleware
from ltq_core.plugins import blaming

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from ltq_core.abilities import QueueLimits
    from ltq_core.message import Message
    from ltq_core.task import Task

    Call = Callable[[Message, tuple[Any, ...], dict[str, Any]], Awaitable[object]]


def insert(middlewares: list[Middleware], middleware: Middleware, pos: int) -> None:
    """Put *middleware* at *pos*: -1 appends, other positions count as in ``list.insert``."""
    middlewares.insert(len(middlewares) if pos == -1 else pos, middleware)


def senders(task: Task[Any, Any], middlewares: Iterable[Middleware]) -> tuple[Middleware, ...]:
    """Those that wrap a send of *task*, outermost first."""
    return tuple(
        one
        for one in middlewares
        if type(one).sending is not Middleware.sending and _applies(one, task)
    )


def limits_of(task: Task[Any, Any], middlewares: Iterable[Middleware]) -> QueueLimits | None:
    """All limits that *middlewares* declare for *task*, together; None if none does."""
    total: QueueLimits | None = None
    for one in middlewares:
        if declared := _limits(one, task):
            total = declared if total is None else total | declared
    return total


def compile_stack(
    task: Task[Any, Any], middlewares: Sequence[Middleware], call: Call, *, shared_limits: bool
) -> Call:
    """Nest *call* in the middleware that applies to *task*, the first outermost.

    With *shared_limits* the broker enforces what middleware declares, which is then
    left out. What does not apply costs nothing: without any, *call* itself is returned.
    """
    for one in reversed(middlewares):
        enforced = shared_limits and _limits(one, task)
        if not enforced and _applies(one, task):
            call = _layer(one, task, call)
    return call


def _applies(middleware: Middleware, task: Task[Any, Any]) -> bool:
    with blaming(middleware, "applies", task.name):
        return middleware.applies(task)


def _limits(middleware: Middleware, task: Task[Any, Any]) -> QueueLimits | None:
    if not isinstance(middleware, DeclaresLimits):
        return None
    with blaming(middleware, "limits", task.name):
        return middleware.limits(task)


def _layer(middleware: Middleware, task: Task[Any, Any], inner: Call) -> Call:
    async def layer(message: Message, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        async with middleware(message, task):
            await inner(message, args, kwargs)

    return layer
