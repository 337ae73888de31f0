"""When a cron line fires: its pattern on the wall clock of a time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ltq_core.errors import OptionValueError
from ltq_core.scheduler._syntax import parse
from ltq_core.scheduler._wall_clock import WallClock, load_zone

if TYPE_CHECKING:
    from datetime import tzinfo

_SECOND = timedelta(seconds=1)


class Schedule:
    """The instants at which a cron line fires in a time zone.

    A line has five fields (minute, hour, day of month, month, weekday), or six with
    seconds last, or is a name: `@hourly`, `@daily` or `@midnight`, `@weekly`, `@monthly`,
    `@yearly` or `@annually`. Values may be lists, ranges (also round the end, `fri-mon`)
    and steps; months and weekdays may be names; Sunday is 0 and 7. `L` is the last day of
    the month, `mon#2` its second Monday, `L5` its last Friday. When neither day of month
    nor weekday starts with `*`, a day that matches either is enough.

    Where the clocks change, two kinds of schedule differ. A *paced* one, whose minute or
    hour starts with `*`, keeps its pace: it fires at every instant at which the wall clock
    matches, so in both passes of a repeated hour and never in a skipped one. A *fixed* one
    fires once: a time that is skipped fires when the gap ends (several in one gap: once),
    a time that is repeated fires in its first pass only.

    Attributes:
        expr: The line, with single spaces.
        timezone: The time zone; without a name UTC.
    """

    def __init__(self, expr: str, timezone: str | tzinfo | None = None) -> None:
        """Read *expr*.

        Args:
            expr: The cron line.
            timezone: A name that `zoneinfo` knows, or the zone itself.

        Raises:
            OptionValueError: The line is malformed or will never fire, or the zone
                is unknown.
        """
        self.expr = " ".join(expr.split())
        self.timezone = load_zone("UTC" if timezone is None else str(timezone))
        self._clock = WallClock(self.timezone)
        self._pattern = parse(self.expr)
        try:
            self.next(datetime.now(UTC))
        except OverflowError as error:
            raise OptionValueError(
                f"The schedule {self.expr!r} can never fire in {self.timezone}: no date and"
                " time to come match all its fields (the last day of any month is L)."
            ) from error

    def next(self, after: datetime) -> datetime:
        """The first instant later than *after* at which this schedule fires.

        It depends on nothing but the instant, so repeated calls that start anywhere give
        the same ticks, none skipped.

        Args:
            after: Any aware datetime.

        Returns:
            A datetime in UTC, where comparing and subtracting are exact (Python compares
            two datetimes of one zone by their wall clocks, repeated hours or not).

        Raises:
            OptionValueError: *after* is naive.
            OverflowError: The calendar, which ends with the year 9999, ends first.
        """
        if after.utcoffset() is None:
            raise OptionValueError(
                f"A schedule needs an aware datetime, not the naive {after}: add its tzinfo."
            )
        second = after.astimezone(UTC).replace(microsecond=0)
        return self._next_paced(second) if self._pattern.paced else self._next_fixed(second)

    def __repr__(self) -> str:
        return f"Schedule({self.expr!r}, {str(self.timezone)!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Schedule):
            return NotImplemented
        return self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[str, str]:
        return self.expr, str(self.timezone)

    def _next_paced(self, after: datetime) -> datetime:
        start = after + _SECOND
        while True:
            wall = self._clock.at(start)
            match = self._pattern.first_from(wall)
            _, repeat = self._clock.instants(wall)
            if start < repeat:  # in a first pass: does the second begin before the match?
                change = self._clock.change(start, repeat)
                if start + (match - wall) >= change:
                    start = change
                    continue
            first, second = self._clock.instants(match)
            if first <= second:
                return first if first >= start else second
            start = self._clock.change(second, first)  # skipped: go on where the gap ends

    def _next_fixed(self, after: datetime) -> datetime:
        first, repeat = self._clock.instants(self._clock.at(after))
        if first < after:  # in a second pass, where nothing fires: go on from the first's end
            after = self._clock.change(first, repeat) - _SECOND
        match = self._pattern.first_from(self._clock.at(after) + _SECOND)
        first, second = self._clock.instants(match)
        return first if first <= second else self._clock.change(second, first)
