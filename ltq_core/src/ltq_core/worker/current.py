"""`current_message()`: what a task may know of the message that it runs."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ltq_core.message import Message


@dataclass(frozen=True, slots=True)
class LastError:
    """How the previous run failed.

    Attributes:
        type: The exception's class.
        text: Its text, cut.
        time: When, aware, in UTC.
    """

    type: str
    text: str
    time: datetime


@dataclass(slots=True)
class CurrentMessage:
    """The message that is being run.

    Attributes:
        message: The message itself.
        deadline: When the run times out, aware, in UTC; None without a ``timeout``.
    """

    message: Message
    deadline: datetime | None = None

    @property
    def id(self) -> str:
        """The message's id: the key for idempotent work."""
        return self.message.id

    @property
    def task_name(self) -> str:
        """``worker:function``, which is also the queue's name."""
        return self.message.task_name

    @property
    def ctx(self) -> dict[str, Any]:
        """The message's dict itself: what a run writes there, the next one finds.

        JSON values only, and none over what LTQ keeps there: see `Message`.
        """
        return self.message.ctx

    @property
    def attempt(self) -> int:
        """Which run this is; the first is 1."""
        return int(self.message.ctx.get("tries", 0)) + 1

    @property
    def last_error(self) -> LastError | None:
        """How the previous run failed, or None."""
        error = self.message.ctx.get("last_error")
        if error is None:
            return None
        return LastError(error["type"], error["text"], _utc(error["time"]))

    @property
    def scheduled_for(self) -> datetime | None:
        """The schedule's tick that sent it, aware, in UTC; None if no schedule did."""
        tick = self.message.ctx.get("scheduled_for")
        return None if tick is None else _utc(tick)

    @property
    def lease_lost(self) -> bool:
        """Whether another worker may be running it too: stop, if you can."""
        delivery = self.message.delivery
        return delivery is not None and delivery.lease_lost


def _utc(seconds: Any) -> datetime:
    return datetime.fromtimestamp(float(seconds), UTC)


class _Running(Protocol):
    message: Message
    deadline: datetime | None


running: ContextVar[_Running] = ContextVar("ltq_running")
"""The run that the current context belongs to; set by the worker."""


def current_message() -> CurrentMessage:
    """The message that the calling task runs, in async and in plain tasks.

    Raises:
        RuntimeError: No task is being run here.
    """
    try:
        run = running.get()
    except LookupError:
        raise RuntimeError("current_message() works only inside a running task.") from None
    return CurrentMessage(run.message, run.deadline)
