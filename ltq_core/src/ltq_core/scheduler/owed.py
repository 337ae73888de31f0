"""Which ticks of a job are owed for a time when nothing could be sent."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ltq_core.scheduler.jobs import Job

LIMIT = 1000
"""The most ticks that a job is owed at any time: the latest ones."""

_LATEST_AGE = timedelta(days=1)


def missed(job: Job, last: datetime | None, now: datetime) -> list[datetime]:
    """The ticks up to *now* to send at a scheduler's start, oldest first.

    Args:
        job: The job; its `missed` decides.
        last: Its last tick that any scheduler sent, or None.
        now: When this scheduler came to life.
    """
    after = job.start(now) if last is None else last
    if job.missed == "all":
        return latest(job, after, now, LIMIT)
    if job.missed == "latest":
        return latest(job, max(after, now - _LATEST_AGE), now, 1)
    return []


def latest(job: Job, after: datetime, until: datetime, limit: int) -> list[datetime]:
    """The last *limit* ticks that are later than *after* and not later than *until*.

    A job only tells its next tick, and the way from *after* may be years of seconds. So
    this looks at a window before *until* and widens it until it holds enough.
    """
    window = timedelta(seconds=1)
    while True:
        start = until - min(window, until - after)
        found = deque(_ticks(job, start, until), maxlen=limit)
        if len(found) == limit or start == after:
            return list(found)
        window *= 4


def _ticks(job: Job, after: datetime, until: datetime) -> Iterator[datetime]:
    tick = job.next(after)
    while tick is not None and tick <= until:
        yield tick
        tick = job.next(tick)
