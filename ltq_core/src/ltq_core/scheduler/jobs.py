"""What a scheduler sends, and when: cron lines, intervals and single instants."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import msgspec

from ltq_core.errors import ConfigurationError, OptionValueError
from ltq_core.message import Message

if TYPE_CHECKING:
    from ltq_core.scheduler.schedule import Schedule

Kind = Literal["cron", "every", "at"]
Missed = Literal["latest", "skip", "all"]

_EPOCH = datetime.fromtimestamp(0, UTC)
_INSTANT = datetime.resolution


class Job(ABC):
    """A message, and the ticks at which a fresh copy of it is sent.

    `Scheduler.cron`, `Scheduler.every` and `Scheduler.at` make it. It never changes.

    Attributes:
        kind: ``"cron"``, ``"every"`` or ``"at"``.
        identity: What schedulers of one store know it by: its name, or else a digest of
            task, rule and arguments that is the same in every process.
        name: As given, or None.
        task_name: The task, and the queue, of its messages.
        rule: When it is due, as text: the cron line, the interval or the instant.
        timezone: The zone of a cron line; else None.
        missed: What becomes of ticks that fell due while no scheduler lived.
    """

    kind: ClassVar[Kind]

    def __init__(
        self,
        message: Message,
        rule: str,
        *,
        timezone: str | None = None,
        name: str | None = None,
        missed: Missed = "latest",
    ) -> None:
        _check(message, name, missed)
        self.name = name
        self.task_name = message.task_name
        self.rule = rule
        self.timezone = timezone
        self.missed = missed
        # A copy, so that later changes of the user's message change nothing here; and
        # what cannot be stored fails now, not at the first tick.
        self._template = message.to_json()
        self.identity = name or _digest(
            self.task_name, rule, timezone, message.args, message.kwargs
        )

    def __repr__(self) -> str:
        return f"<Job {self}>"

    def __str__(self) -> str:
        named = f"{self.name}: " if self.name else ""
        zone = f" {self.timezone}" if self.timezone else ""
        return f"{named}{self.task_name} [{self.rule}{zone}]"

    @abstractmethod
    def next(self, after: datetime) -> datetime | None:
        """The first tick later than *after*, in UTC; None if there is no other.

        Args:
            after: Any aware datetime.
        """

    def start(self, now: datetime) -> datetime:
        """The instant after which its ticks count if none was ever sent: *now*."""
        return now

    def mark(self, tick: datetime) -> float:
        """What the store remembers *tick* by; it takes no mark that is not a later one."""
        return tick.timestamp()

    def message(self, tick: datetime, created_at: float) -> Message:
        """A fresh message for *tick*.

        Its id derives from job and tick, so that all schedulers send the same one.
        """
        message = Message.from_json(self._template)
        message.id = _digest(self.task_name, self.identity, tick.isoformat())
        message.ctx |= {"created_at": created_at, "scheduled_for": tick.timestamp()}
        return message


class CronJob(Job):
    """A job that is due when a cron line fires."""

    kind = "cron"

    def __init__(
        self, schedule: Schedule, message: Message, name: str | None, missed: Missed
    ) -> None:
        zone = str(schedule.timezone)
        super().__init__(message, schedule.expr, timezone=zone, name=name, missed=missed)
        self.schedule = schedule

    def next(self, after: datetime) -> datetime:
        return self.schedule.next(after)


class EveryJob(Job):
    """A job that is due at the multiples of an interval since the Unix epoch."""

    kind = "every"

    def __init__(
        self, interval: timedelta, message: Message, name: str | None, missed: Missed
    ) -> None:
        self.interval = _positive(interval)
        super().__init__(message, f"every {interval}", name=name, missed=missed)

    def next(self, after: datetime) -> datetime:
        # timedelta counts whole microseconds: exact, whatever the interval.
        return _EPOCH + ((after - _EPOCH) // self.interval + 1) * self.interval


class AtJob(Job):
    """A job that is due once, or at once if its time has passed."""

    kind = "at"

    def __init__(self, when: datetime, message: Message, name: str | None) -> None:
        self.when = _aware(when).astimezone(UTC)
        super().__init__(message, f"at {self.when.isoformat()}", name=name, missed="all")

    def next(self, after: datetime) -> datetime | None:
        return self.when if self.when > after else None

    def start(self, now: datetime) -> datetime:
        """Just before its one tick: it is owed, however long ago it was."""
        return self.when - _INSTANT

    def mark(self, tick: datetime) -> float:
        """One for all: what has this identity is sent once, even if its time is changed."""
        return 0.0


def _digest(*parts: Any) -> str:
    data = msgspec.json.encode(parts, order="deterministic")
    return hashlib.sha256(data).hexdigest()[:32]


def _check(message: object, name: object, missed: object) -> None:
    if not isinstance(message, Message) or not message.task_name:
        raise ConfigurationError(
            "A schedule takes a message of a task, made by task.message(…),"
            f" not {type(message).__name__}."
        )
    if name is not None and not (isinstance(name, str) and name and name.isprintable()):
        raise OptionValueError(f"A job's name must be a printable text, not {name!r}.")
    if missed not in get_args(Missed):
        raise OptionValueError(f"missed must be 'latest', 'skip' or 'all', not {missed!r}.")


def _positive(interval: object) -> timedelta:
    if isinstance(interval, timedelta) and interval > timedelta(0):
        return interval
    raise OptionValueError(f"every() takes a timedelta of more than nothing, not {interval!r}.")


def _aware(when: object) -> datetime:
    if isinstance(when, datetime) and when.utcoffset() is not None:
        return when
    raise OptionValueError(f"at() takes an aware datetime, not {when!r}: add its tzinfo.")
