"""The text of a cron line to the `Pattern` it stands for; the one place that knows croniter.

Croniter says what a value and a range stand for. The rest is settled here, so that a line
means the same under each of its releases: steps (it miscounts those of a range that wraps,
`sat-wed/2`), ranges of one value (it reads `9-9` as every hour), numbered weekdays (it
refuses `mon,fri#2`), "and" or "or" between day and weekday, and what may stand at all
(`H` and `R` are its random values, a seventh field its years; from `15W` it drops the W).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ltq_core.errors import OptionValueError
from ltq_core.scheduler._pattern import Pattern

_ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


@dataclass(frozen=True, slots=True)
class _Field:
    position: int
    name: str
    highest: int
    takes: str


_MINUTE = _Field(0, "minute", 59, "0-59")
_HOUR = _Field(1, "hour", 23, "0-23")
_DAY = _Field(2, "day of month", 31, "1-31, L (the last day)")
_MONTH = _Field(3, "month", 12, "1-12, jan-dec")
_WEEKDAY = _Field(
    4, "weekday", 6, "0-7, sun-sat, mon#2 (the second Monday), L5 (the last Friday)"
)
_SECOND = _Field(5, "second", 59, "0-59")

_SPAN = re.compile(
    r"(?P<first>\*|\d\d?|[a-z]{3})(?:-(?P<last>\d\d?|[a-z]{3}))?(?:/(?P<step>\d+))?", re.ASCII
)
_NTH_WEEKDAY = re.compile(r"(\d|[a-z]{3})#([1-5])", re.ASCII)
_LAST_WEEKDAY = re.compile(r"l(\d)|(\d)l", re.ASCII)


def parse(expr: str) -> Pattern:
    """Read a cron line.

    Args:
        expr: Five fields, or six with seconds last, or a name such as `@daily`.

    Raises:
        OptionValueError: It is malformed.
    """
    try:
        return _pattern(_ALIASES.get(expr.lower(), expr).lower().split())
    except ValueError as error:
        raise OptionValueError(f"The schedule {expr!r} is malformed: {error}") from error


def _pattern(fields: list[str]) -> Pattern:
    if len(fields) not in (5, 6):
        raise ValueError(
            "it must have five fields (minute, hour, day of month, month, weekday), or six"
            " with seconds last, or be a name such as @daily."
        )
    minute, hour, day, month, weekday, second = [*fields, "0"][:6]
    day, weekday = ("*" if text == "?" else text for text in (day, weekday))
    return Pattern(
        seconds=_numbers(_SECOND, second),
        minutes=_numbers(_MINUTE, minute),
        hours=_numbers(_HOUR, hour),
        months=_numbers(_MONTH, month),
        days=_days(day),
        weekdays=_weekdays(weekday),
        either=not (day.startswith("*") or weekday.startswith("*")),
        paced=minute.startswith("*") or hour.startswith("*"),
    )


def _numbers(field: _Field, text: str) -> tuple[int, ...]:
    return tuple(sorted({n for term in text.split(",") for n in _term(field, term)}))


def _days(text: str) -> frozenset[int]:
    terms = text.split(",")
    return frozenset(n for term in terms for n in ([-1] if term == "l" else _term(_DAY, term)))


def _weekdays(text: str) -> frozenset[int | tuple[int, int]]:
    weekdays = set[int | tuple[int, int]]()
    for term in text.split(","):
        if match := _NTH_WEEKDAY.fullmatch(term):
            weekdays.add((_term(_WEEKDAY, match[1])[0], int(match[2])))
        elif match := _LAST_WEEKDAY.fullmatch(term):
            weekdays.add((_term(_WEEKDAY, match[1] or match[2])[0], -1))
        else:
            weekdays.update(_term(_WEEKDAY, term))
    return frozenset(weekdays)


def _term(field: _Field, term: str) -> list[int]:
    """The numbers that one term of a field's list stands for."""
    try:
        return _span(field, term)
    except ValueError as error:
        raise ValueError(
            f"its {field.name} field takes {field.takes}, and lists, ranges and steps"
            f" of these, not {term!r}."
        ) from error


def _span(field: _Field, term: str) -> list[int]:
    match = _SPAN.fullmatch(term)
    if match is None:
        raise ValueError(term)
    first, last, step = match.group("first", "last", "step")
    numbers = _expand(field, first)
    start = numbers[0]
    if last is not None and not _is_one_value(field, first, last):
        # In the order of the range: what wraps round to below its start comes last.
        numbers = sorted(_expand(field, f"{first}-{last}"), key=lambda n: (n < start, n))
    elif last is None and step is not None:
        numbers = list(range(start, field.highest + 1))
    return numbers[:: int(step or 1)]


def _is_one_value(field: _Field, first: str, last: str) -> bool:
    if field is _WEEKDAY and last == "7" and first != "7":
        return False  # 0-7 is the whole week
    return _expand(field, first) == _expand(field, last)


def _expand(field: _Field, text: str) -> list[int]:
    from croniter import croniter  # 90 ms that a process without schedules need not pay

    line = ["*"] * max(5, field.position + 1)
    line[field.position] = text
    numbers = croniter.expand(" ".join(line))[0][field.position]
    lowest = croniter.RANGES[field.position][0]
    if numbers == ["*"]:
        return list(range(lowest, field.highest + 1))
    return [int(number) for number in numbers]
