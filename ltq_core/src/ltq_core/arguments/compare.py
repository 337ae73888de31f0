"""Tell whether a value came back as it was, and if not, where and why not.

``==`` alone is not enough: ``True == 1``, ``{1} == frozenset({1})``, a class may
leave fields out of its equality or have none. So everything is compared by
type, part by part.
"""

from __future__ import annotations

import math
from datetime import datetime, time
from types import NoneType
from typing import TYPE_CHECKING, Any

from ltq_core.arguments.models import is_model
from ltq_core.arguments.parts import label, parts
from ltq_core.arguments.unfit import UnfitError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# A guess: deeper than what people send, and far enough below Python's recursion
# limit (1,000) that a worker with a taller stack can read what a sender wrote.
MAX_DEPTH = 200

TOO_DEEP = f"it is nested deeper than {MAX_DEPTH} levels, or contains itself"
NOT_FINITE = "JSON has no NaN and no infinities"
SURROGATE = "a lone surrogate is no text"

_SCALARS = frozenset({NoneType, bool, int, float, str})


def difference(
    value: Any, back: Any, widened: frozenset[tuple[type, type]], depth: int = MAX_DEPTH
) -> UnfitError | None:
    """Where *back* is not what *value* was; None where it is.

    Args:
        value: What was sent.
        back: What would arrive.
        widened: Pairs of their types that may differ where the values are equal.
        depth: How many levels may still follow.
    """
    was, kind = type(value), type(back)
    if was is not kind and (was, kind) not in widened:
        return UnfitError(f"`{was.__qualname__}` would arrive as `{kind.__qualname__}`")
    if kind in _SCALARS and value == back:
        return UnfitError(NOT_FINITE) if kind is float and not math.isfinite(back) else None
    if kind is list and _flat_and_same(value, back):
        return None
    inside = parts(value)
    if inside is None:
        return None if _same(value, back) else _another(kind)
    twins = _twins(value, back)
    if len(twins) != len(inside):
        return _another(kind)
    if depth == 0:
        return UnfitError(TOO_DEEP)
    for index, (part, twin) in enumerate(zip(inside, twins, strict=True)):
        if found := difference(part, twin, widened, depth - 1):
            return _below(label(value, index), found)
    return None


def _another(kind: type) -> UnfitError:
    return UnfitError(f"another `{kind.__qualname__}` would arrive")


def _twins(value: Any, back: Any) -> Sequence[Any]:
    """The parts of *back*, in the order of those of *value*."""
    if isinstance(back, (set, frozenset)):
        members = {member: member for member in back}
        return [members[member] for member in value if member in members]
    return parts(back) or ()


def _flat_and_same(value: Any, back: list[Any]) -> bool:
    """Whether both hold the same scalars: a third of the time for a long list."""
    kinds = list(map(type, value))
    return _SCALARS.issuperset(kinds) and kinds == list(map(type, back)) and value == back


def _same(value: Any, back: Any) -> bool:
    """Whether two values of one type, without parts, are equal."""
    if not isinstance(value, (datetime, time)):
        return bool(value == back)
    if (value.tzinfo is None) is not (back.tzinfo is None):
        return False  # equal to Python, if the zone has no offset for a mere time
    return value == back or _same_instant(value, back)


def _same_instant(value: datetime | time, back: datetime | time) -> bool:
    """The same on the clock, at the same offset from UTC.

    While a zone repeats or skips an hour, Python calls its datetimes unequal to
    those in every other zone; they are the same instants, and nothing is lost.
    """
    on_clock: bool = value.replace(tzinfo=None) == back.replace(tzinfo=None)
    return on_clock and value.utcoffset() == back.utcoffset()


def obstacle(
    value: Any, storable: Callable[[Any], bool], depth: int = MAX_DEPTH
) -> UnfitError | None:
    """The first part of *value* that JSON cannot carry, looked for after a failure.

    Args:
        value: What was sent.
        storable: Whether a value without parts can be encoded.
        depth: How many levels may still follow.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return UnfitError(NOT_FINITE)
    if isinstance(value, str) and not is_text(value):
        return UnfitError(SURROGATE)
    if depth == 0:
        return UnfitError(TOO_DEEP)
    inside = None if is_model(type(value)) else parts(value)  # pydantic has its own types
    if inside is None:
        return None if storable(value) else _no_form(value)
    for index, part in enumerate(inside):
        if found := obstacle(part, storable, depth - 1):
            return _below(label(value, index), found)
    keys = value if isinstance(value, dict) else ()
    return next((_no_form(key, " as a key") for key in keys if not storable({key: None})), None)


def _no_form(value: Any, where: str = "") -> UnfitError:
    return UnfitError(f"`{type(value).__qualname__}` has no JSON form{where}")


def is_text(value: str) -> bool:
    """Whether *value* has a UTF-8 form: no lone surrogate is in it."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _below(label: str, found: UnfitError) -> UnfitError:
    """*found* as seen from one level up; a path of 200 levels would help nobody."""
    return found if found.reason is TOO_DEEP else found.below(label)
