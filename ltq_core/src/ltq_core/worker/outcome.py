"""What becomes of a message whose run failed: a pure decision."""

from __future__ import annotations

import math
import socket
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from ltq_core.clock import now
from ltq_core.dead_letter import DeadLetter, Reason
from ltq_core.errors import DeferError, RejectError, RetryError
from ltq_core.logger import format_traceback, printable

if TYPE_CHECKING:
    from ltq_core.message import Message

TEXT_LIMIT = 500  # characters of an exception's text that are kept; a guess


@dataclass(frozen=True, slots=True)
class Again:
    """Return the message to its queue.

    Attributes:
        delay: Seconds until it is due.
        error: What failed, if this run was a try; None if it was none.
    """

    delay: float
    error: BaseException | None


@dataclass(frozen=True, slots=True)
class Dead:
    """Give the message up.

    Attributes:
        reason: Why, in a word.
        error: What was raised.
        text: Why, in the words of whoever decided.
    """

    reason: Reason
    error: BaseException | None
    text: str = ""


Outcome = Again | Dead


def decide(error: BaseException) -> Outcome:
    """What a run that ended with *error* means for its message; never raises."""
    try:
        return _decide(error)
    except BaseException as wrong:  # of a class of the task's own, which may do anything
        return Dead("failed", wrong)


def _decide(error: BaseException) -> Outcome:
    if isinstance(error, DeferError):
        return Again(_delay(error), None)
    if isinstance(error, RetryError):
        return Again(_delay(error), error.__cause__ or error)
    if isinstance(error, RejectError):
        return Dead(error.kind, _told(error), printable(error.reason, TEXT_LIMIT))
    return Dead("failed", error)


def _told(reject: RejectError) -> BaseException:
    """What the dead letter shows: a task's own reason, or else what *reject* comes from."""
    # The traceback of a reason names what it comes from too; a limit's verdict on an
    # exception says less than that exception.
    given = reject.kind == "rejected" and reject.reason
    return reject if given else reject.__cause__ or reject


def _delay(signal: RetryError | DeferError) -> float:
    if not math.isfinite(signal.delay):
        raise ValueError(f"{type(signal).__name__} asks for a delay of {signal.delay} s")
    return max(0.0, signal.delay)


def count_try(message: Message, error: BaseException) -> None:
    """Note in ``ctx`` that a run failed with *error*."""
    message.ctx["tries"] = message.ctx.get("tries", 0) + 1
    message.ctx["last_error"] = {
        "type": type(error).__name__,
        "text": printable(error, TEXT_LIMIT),
        "time": now(),
    }


def letter(message: Message, dead: Dead, worker: str) -> DeadLetter:
    """The dead letter of *message*."""
    error, delivery = dead.error, message.delivery
    failed = error is not None and dead.reason in ("failed", "tries_exhausted")
    return DeadLetter(
        id=message.id,
        queue=message.task_name,
        reason=dead.reason,
        died_at=now(),
        message=message,
        error_type="" if error is None else type(error).__name__,
        error=printable(dead.text if error is None else error, TEXT_LIMIT),
        traceback="" if error is None else _utf8(format_traceback(error)),
        tries=message.ctx.get("tries", 0) + failed,
        crashes=0 if delivery is None else delivery.crashes,
        created_at=message.ctx.get("created_at"),
        worker=worker,
        host=_host(),
    )


def _utf8(text: str) -> str:
    # A lone surrogate in an exception's text must not keep the letter from being stored.
    return text.encode(errors="backslashreplace").decode()


@cache
def _host() -> str:
    return socket.gethostname()
