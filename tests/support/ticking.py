"""Instants in tests of schedules."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ltq_core.scheduler.schedule import Schedule


def instant(text: str) -> datetime:
    """Of a time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ticks(schedule: Schedule, after: datetime, count: int) -> list[datetime]:
    """The first *count* instants of *schedule* that are later than *after*."""
    found: list[datetime] = []
    while len(found) < count:
        after = schedule.next(after)
        found.append(after)
    return found
