"""`MaxTries`: how often a message may fail, and how long it waits in between."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from ltq_core.errors import DeferError, RejectError, RetryError
from ltq_core.logger import counted
from ltq_core.middleware import Middleware, Options
from ltq_core.values import parse_count, seconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ltq_core.message import Message
    from ltq_core.task import Task

Backoff = Callable[[int, BaseException], float | timedelta]

BASE = 1.0
CAP = 3600.0


def exponential(tries: int, error: BaseException) -> float:
    """A random delay up to 1 s, 2 s, 4 s … an hour: exponential with full jitter.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    # Beyond 2**12 the cap holds anyway, and a float would overflow at 2**1024.
    ceiling = min(CAP, BASE * 2.0 ** min(tries - 1, 12))
    return random.uniform(0, ceiling)


@dataclass(frozen=True, slots=True)
class Constant:
    """The same number of seconds, however many tries failed."""

    delay: float

    def __call__(self, tries: int, error: BaseException) -> float:
        """See `Backoff`."""
        return self.delay

    def __str__(self) -> str:
        return f"{self.delay:g}"


def parse_backoff(value: Any) -> Backoff:
    """A callable of (tries, exception), or a constant number of seconds."""
    if callable(value):
        backoff: Backoff = value
        return backoff
    if isinstance(value, bool) or not isinstance(value, int | float | timedelta):
        raise ValueError(f"must be seconds, a timedelta or a callable, not {value!r}.")
    delay = seconds(value)
    if not 0 <= delay < float("inf"):
        raise ValueError(f"must be 0 seconds or more, not {value!r}.")
    return Constant(delay)


def parse_exceptions(value: Any) -> tuple[type[BaseException], ...]:
    """An exception class, or several."""
    classes = value if isinstance(value, tuple | list | set | frozenset) else (value,)
    if not classes or not all(
        isinstance(one, type) and issubclass(one, BaseException) for one in classes
    ):
        raise ValueError(f"must be an exception class or several, not {value!r}.")
    return tuple(classes)


class MaxTries(Middleware):
    """Retries a failed run until `max_tries` runs failed, then rejects the message.

    An exception that `give_up_on` or `retry_on` rules out is not retried.

    The worker alone counts ``ctx["tries"]``; this only decides. ``SystemExit`` and its
    like are failures of the task; what is none (`DeferError`, `RejectError`, a run that
    the worker cancels) passes through.
    """

    options: ClassVar[Options] = {
        "max_tries": parse_count,
        "backoff": parse_backoff,
        "retry_on": parse_exceptions,
        "give_up_on": parse_exceptions,
    }
    requires: ClassVar[Mapping[str, str]] = {
        "backoff": "max_tries",
        "retry_on": "max_tries",
        "give_up_on": "max_tries",
    }

    def applies(self, task: Task[Any, Any]) -> bool:
        """Only to tasks that declare ``max_tries``."""
        return "max_tries" in task.options

    @asynccontextmanager
    async def __call__(self, message: Message, task: Task[Any, Any]) -> AsyncIterator[None]:
        """Turn a failure into a retry or, at the last try, into a reject."""
        tries = message.ctx.get("tries", 0) + 1  # read before the task may write there
        try:
            yield
        except (DeferError, RejectError, GeneratorExit):
            raise
        except BaseException as error:
            if not _is_cancelled(error):
                self._decide(error, tries, task)
            raise

    def _decide(self, error: BaseException, tries: int, task: Task[Any, Any]) -> None:
        """Raise what becomes of the message, unless *error* itself says it."""
        options = task.options
        if not _retriable(error, options.get("retry_on"), options.get("give_up_on")):
            return
        if tries >= options["max_tries"]:
            reject = RejectError(f"failed {counted(tries, 'time')}", kind="tries_exhausted")
            raise reject from _cause(error)
        if not isinstance(error, RetryError):
            backoff: Backoff = options.get("backoff", exponential)
            raise RetryError(backoff(tries, error)) from error


def _is_cancelled(error: BaseException) -> bool:
    """Whether the run is asked to end, and *error* is no CancelledError of the task's own."""
    run = asyncio.current_task()
    asked = run is not None and run.cancelling() > 0
    return asked and isinstance(error, asyncio.CancelledError)


def _retriable(
    error: BaseException,
    retry_on: tuple[type[BaseException], ...] | None,
    give_up_on: tuple[type[BaseException], ...] | None,
) -> bool:
    if isinstance(error, RetryError):  # the task asked for it by name
        return True
    if give_up_on is not None and isinstance(error, give_up_on):
        return False
    return retry_on is None or isinstance(error, retry_on)


def _cause(error: BaseException) -> BaseException:
    # A RetryError tells what failed, if the task raised it from that.
    return (isinstance(error, RetryError) and error.__cause__) or error
