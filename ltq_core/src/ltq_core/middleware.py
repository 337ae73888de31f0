"""The `Middleware` contract: an async context manager around one run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Literal,
    Protocol,
    TypeAlias,
    get_args,
    runtime_checkable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ltq_core.abilities import QueueLimits
    from ltq_core.message import Message
    from ltq_core.task import Task

Options: TypeAlias = "Mapping[str, Callable[[Any], Any]]"
"""Task option -> parser."""

Phase = Literal["observe", "retry", "guard", "limit", "inner"]
PHASES: tuple[Phase, ...] = get_args(Phase)
"""Where middleware stands in the default stack, outermost first."""


class Middleware(ABC):
    """Wraps every run of a worker's tasks, the first of the list outermost.

    ``__call__`` is usually an ``@asynccontextmanager``: what stands before its
    ``yield`` happens before the task, what stands after it when the task succeeded;
    what the task or an inner middleware raises appears at the ``yield``. It may raise
    `RetryError`, `DeferError` or `RejectError` to decide the message's fate.

    One instance serves all runs of its worker at once: what belongs to one run stays
    in local variables or in ``message.ctx``.
    """

    options: ClassVar[Options] = {}
    """Task options that it understands. The parser returns the value used, or raises
    ``ValueError`` with a text that reads on after "<option> of task '<name>'"."""

    requires: ClassVar[Mapping[str, str]] = {}
    """Options that make no sense without another one: option -> what it needs."""

    @abstractmethod
    def __call__(
        self, message: Message, task: Task[Any, Any]
    ) -> AbstractAsyncContextManager[None]:
        """The context of one run of *task* for *message*.

        Cancellation:
            A run that is cancelled (a timeout, the end of the grace time) raises
            ``CancelledError`` at the ``yield``; let it pass.
        """

    def sending(
        self, message: Message, task: Task[Any, Any]
    ) -> AbstractAsyncContextManager[None]:
        """The context of one send, in the producer; it may add to ``message.ctx``.

        Of the messages of a ``send_many`` many are open at once, each in an asyncio
        task of its own; they see one failure together.
        """
        return nullcontext()

    def applies(self, task: Task[Any, Any]) -> bool:
        """Whether it does anything for *task*; asked once, at start.

        A task that it does not apply to pays nothing for it. What it raises keeps the
        worker from starting, in a line that names this middleware and its plugin.
        """
        return True


@runtime_checkable
class DeclaresLimits(Protocol):
    """A middleware whose limit a broker may enforce in its stead."""

    def limits(self, task: Task[Any, Any]) -> QueueLimits | None:
        """The limits that *task* declares. Where the broker shares limits, it gates
        the claims by them and the middleware is left out of the task's stack. What it
        raises keeps the worker from starting, as with `Middleware.applies`."""
        ...


@dataclass(frozen=True, slots=True)
class MiddlewareSpec:
    """A plugin's middleware, described without importing it.

    Attributes:
        name: Unique among all plugins.
        target: ``module:Class``, or a callable that returns an instance.
        phase: Where it stands among the others, see `PHASES`.
        default: Whether it joins the default stack; a callable is asked when the
            worker starts.
        options: The task options that it understands; their parsers stand in
            ``Class.options``.
    """

    name: str
    target: str | Callable[[], Middleware]
    phase: Phase = "inner"
    default: bool | Callable[[], bool] = False
    options: tuple[str, ...] = field(default=())
