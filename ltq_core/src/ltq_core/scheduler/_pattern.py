"""The times that a cron line matches, on a calendar and a clock without time zones."""

from __future__ import annotations

from bisect import bisect_left
from calendar import monthrange
from dataclasses import dataclass
from datetime import MAXYEAR, date, datetime, time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CYCLE = 400
"""Years after which the calendar repeats, weekdays included: what matches none never will."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """What the fields of one cron line match.

    Attributes:
        seconds: Sorted, as are `minutes`, `hours` and `months`; none is empty.
        minutes: 0 to 59.
        hours: 0 to 23.
        months: 1 to 12.
        days: Days of the month, negative ones counted from its end (-1 is the last).
        weekdays: 0 (Sunday) to 6, or a pair of one and its number within the month, a
            negative number counted from the end.
        either: One of day and weekday is enough, else both must match.
        paced: The minute or the hour was written with a leading `*`.
    """

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: tuple[int, ...]
    days: frozenset[int]
    weekdays: frozenset[int | tuple[int, int]]
    either: bool
    paced: bool

    def first_from(self, wall: datetime) -> datetime:
        """The first match at or after *wall*, a naive time of whole seconds.

        Raises:
            OverflowError: There is none in the 400 years that follow, or none
                before the year 10000.
        """
        start = wall.time()
        for day in self._days_from(wall.date()):
            match = self._time_from(start if day == wall.date() else time.min)
            if match is not None:
                return datetime.combine(day, match)
        raise OverflowError(f"No matching time follows {wall} before the calendar ends.")

    def _time_from(self, start: time) -> time | None:
        if start.hour in self.hours:
            if start.minute in self.minutes:
                second = _at_least(start.second, self.seconds)
                if second is not None:
                    return time(start.hour, start.minute, second)
            minute = _at_least(start.minute + 1, self.minutes)
            if minute is not None:
                return time(start.hour, minute, self.seconds[0])
        hour = _at_least(start.hour + 1, self.hours)
        return None if hour is None else time(hour, self.minutes[0], self.seconds[0])

    def _days_from(self, start: date) -> Iterator[date]:
        for year in range(start.year, min(start.year + _CYCLE, MAXYEAR) + 1):
            for month in self.months:
                if year > start.year or month >= start.month:
                    days = (date(year, month, day) for day in self._days_of(year, month))
                    yield from (day for day in days if day >= start)

    def _days_of(self, year: int, month: int) -> Iterator[int]:
        # Its first weekday counts from Monday: for us, from Sunday, that of the day before.
        eve, length = monthrange(year, month)
        for day in range(1, length + 1):
            by_date = day in self.days or day - length - 1 in self.days
            by_weekday = self._has_weekday((eve + day) % 7, day, length)
            if (by_date or by_weekday) if self.either else (by_date and by_weekday):
                yield day

    def _has_weekday(self, weekday: int, day: int, length: int) -> bool:
        from_start, from_end = (day - 1) // 7 + 1, (day - length - 1) // 7
        return not self.weekdays.isdisjoint(
            (weekday, (weekday, from_start), (weekday, from_end))
        )


def _at_least(low: int, values: tuple[int, ...]) -> int | None:
    index = bisect_left(values, low)
    return values[index] if index < len(values) else None
