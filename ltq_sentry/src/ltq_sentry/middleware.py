"""`Sentry`: one isolation scope a message, one event a failure that nobody handles."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import sentry_sdk
from sentry_sdk.integrations.logging import ignore_logger

from ltq_core import DeferError, Middleware, RejectError, RetryError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sentry_sdk.types import Event, Hint

    from ltq_core import Message, Task


class Sentry(Middleware):
    """Reports what fails for good to Sentry.

    Each run has an isolation scope of its own, with the task and the message's id as
    tags. `RetryError`, `DeferError` and `RejectError` are decisions and never events;
    when the last try has failed, the exception that the task raised is one. An event
    holds no arguments, nor the local variables that may hold them.

    Args:
        dsn: Where to report to. Without one, an initialized client is used, or the
            SDK's own settings (``SENTRY_DSN``).
        options: What else `sentry_sdk.init` takes.
    """

    def __init__(self, dsn: str | None = None, **options: Any) -> None:
        if dsn is not None or options or not sentry_sdk.is_initialized():
            sentry_sdk.init(dsn=dsn, **options)
        # What the worker logs of a failed run would be an event too, without its scope.
        ignore_logger("ltq.worker")

    @asynccontextmanager
    async def __call__(self, message: Message, task: Task[Any, Any]) -> AsyncIterator[None]:
        """Report what the run raises, unless it is a decision about the message."""
        with sentry_sdk.isolation_scope() as scope:
            scope.set_transaction_name(task.name, source="task")
            scope.set_tag("ltq.task", task.name)
            scope.set_tag("ltq.message_id", message.id)
            scope.set_context("ltq", {"tries": message.ctx.get("tries", 0)})
            scope.add_event_processor(_without_arguments)
            try:
                yield
            except BaseException as error:
                if (failure := _failure(error)) is not None:
                    sentry_sdk.capture_exception(failure)
                raise


# The last two end a run from outside: a timeout, or the end of the grace time.
_DECISIONS = (RetryError, DeferError, RejectError, asyncio.CancelledError, GeneratorExit)


def _failure(error: BaseException) -> BaseException | None:
    """What to report of *error*, if anything."""
    exhausted = isinstance(error, RejectError) and error.kind == "tries_exhausted"
    failure = error.__cause__ if exhausted else error
    return None if isinstance(failure, _DECISIONS) else failure


def _without_arguments(event: Event, hint: Hint) -> Event:
    """*event* without the local variables of its exceptions' frames."""
    content: Any = event
    for one in (content.get("exception") or {}).get("values", ()):
        for frame in (one.get("stacktrace") or {}).get("frames", ()):
            frame.pop("vars", None)
    return event
