"""A time zone's wall clock: what it shows when, and when it is changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, available_timezones

from ltq_core.errors import OptionValueError
from ltq_core.nearest import did_you_mean


class WallClock:
    """Converts between instants (datetimes in UTC) and a zone's wall times (naive ones)."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone

    def at(self, instant: datetime) -> datetime:
        """The wall time at *instant*."""
        return instant.astimezone(self._zone).replace(tzinfo=None, fold=0)

    def instants(self, wall: datetime) -> tuple[datetime, datetime]:
        """When the clock shows *wall*.

        Returns:
            Nearly always one instant, twice. For a wall time that is repeated, its first
            and its second pass. For one that is skipped, the other way round: the later
            instant and then the earlier, with the change between them.
        """
        aware = wall.replace(tzinfo=self._zone)
        return aware.astimezone(UTC), aware.replace(fold=1).astimezone(UTC)

    def change(self, earlier: datetime, later: datetime) -> datetime:
        """The first instant after the clock's one change between these two.

        They are those of one wall time, so at most a day apart, and no zone has ever
        changed its clocks twice within six days.
        """
        offset = self._offset(earlier)
        low, high = 0, int((later - earlier).total_seconds())
        while high - low > 1:
            middle = (low + high) // 2
            if self._offset(earlier + timedelta(seconds=middle)) == offset:
                low = middle
            else:
                high = middle
        return earlier + timedelta(seconds=high)

    def _offset(self, instant: datetime) -> timedelta | None:
        return instant.astimezone(self._zone).utcoffset()


def load_zone(name: str) -> tzinfo:
    """The time zone of that name.

    Raises:
        OptionValueError: There is none.
    """
    if name == "UTC":
        return UTC  # known even where no time zone data is installed
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:
        raise OptionValueError(f"The time zone {name!r} is unknown. {_hint(name)}") from error


def _hint(name: str) -> str:
    return did_you_mean(
        name,
        available_timezones(),
        "Give a name such as 'Europe/Berlin', or none for UTC; a system without time zone"
        " data needs the package tzdata.",
    )
