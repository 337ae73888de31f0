"""Properties: what is sent arrives equal, and nothing that is read breaks the reader."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any, Literal, NamedTuple, TypedDict

import msgspec
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ltq_core.arguments import Arguments
from ltq_core.errors import DecodeError, EncodeError


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Point(NamedTuple):
    x: int
    y: float


class Order(TypedDict):
    id: uuid.UUID
    totals: list[Decimal]


@dataclass
class Item:
    name: str
    point: Point | None
    sizes: dict[int, list[float]]


class Leaf(msgspec.Struct, tag=True):
    value: bytes


class Fork(msgspec.Struct, tag=True):
    twigs: list[Leaf | Fork]


floats = st.floats(allow_nan=False, allow_infinity=False)
points = st.builds(Point, st.integers(), floats)
leaves = st.builds(Leaf, st.binary())
KEYS: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(),
    float: floats,
    str: st.text(),
    bytes: st.binary(),
    datetime: st.datetimes(timezones=st.sampled_from([None, UTC])),
    date: st.dates(),
    timedelta: st.timedeltas(),
    uuid.UUID: st.uuids(),
    Decimal: st.decimals(allow_nan=False),
    Color: st.sampled_from(Color),
    Level: st.sampled_from(Level),
}
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    **KEYS,
    bool: st.booleans(),
    time: st.times(timezones=st.sampled_from([None, UTC])),
    int | float | None: st.integers() | floats | st.none(),
    Literal["a", 1, None]: st.sampled_from(["a", 1, None]),
    Point: points,
    Order: st.fixed_dictionaries(
        {"id": st.uuids(), "totals": st.lists(st.decimals(allow_nan=False), max_size=3)}
    ),
    Item: st.builds(
        Item, st.text(), st.none() | points, st.dictionaries(st.integers(), st.lists(floats))
    ),
    Leaf | Fork: st.recursive(leaves, lambda it: st.builds(Fork, st.lists(it)), max_leaves=5),
}
# Nearly, but not quite, what some annotation asks for.
ODDITIES = [
    *(None, True, 1, 1.0, -0.0, 2**64, float("nan"), float("inf"), "1", "\ud800", b"1"),
    *((1,), [1], [True], [1.0], {1}, frozenset({1}), {1: 1}, {"1": 1}, {True: 1}, {None: 1}),
    *(Level.LOW, Color.RED, Point(1, 1), Decimal(1), Decimal("NaN"), bytearray(b"1")),
    *(date(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC), Leaf(b""), object(), int, len),
]


@st.composite
def typed_values(draw: st.DrawFn) -> tuple[Any, Any]:
    """An annotation, and a value of it."""
    annotation = draw(st.sampled_from(list(VALUES)))
    key = draw(st.sampled_from(list(KEYS)))
    value, keys = VALUES[annotation], KEYS[key]
    wrapped = [
        (annotation, value),
        (list[annotation], st.lists(value, max_size=4)),
        (tuple[annotation, ...], st.lists(value, max_size=4).map(tuple)),
        (tuple[key, annotation], st.tuples(keys, value)),
        (dict[key, annotation], st.dictionaries(keys, value, max_size=4)),
        (set[key], st.sets(keys, max_size=4)),
        (frozenset[tuple[key, ...]], st.frozensets(st.tuples(keys, keys), max_size=3)),
        (list[annotation] | None, st.none() | st.lists(value, max_size=4)),
    ]
    chosen, values = draw(st.sampled_from(wrapped))
    return chosen, draw(values)


def nested(
    leaf: st.SearchStrategy[Any], keys: st.SearchStrategy[Any]
) -> st.SearchStrategy[Any]:
    """Lists, tuples and dicts of *leaf*, one in another."""
    return st.recursive(
        leaf,
        lambda it: st.lists(it) | st.tuples(it) | st.dictionaries(keys, it),
        max_leaves=8,
    )


json = nested(st.none() | st.booleans() | st.integers() | floats | st.text(), st.text())


def declare(annotation: Any) -> Arguments:
    """The arguments of a function of one parameter so annotated."""

    def task(it): ...

    task.__annotations__["it"] = annotation
    return Arguments(task, "w:task")


def carried(annotation: Any, value: Any) -> Any:
    """What *value* is on the other side."""
    arguments = declare(annotation)
    args, kwargs = msgspec.json.decode(msgspec.json.encode(arguments.dump((value,), {})))
    return arguments.load(args, kwargs)[0][0]


def typed(value: Any) -> Any:
    """*value* so that what is equal in Python, but of other types, is not."""
    if isinstance(value, dict):
        return dict, [(typed(k), typed(v)) for k, v in value.items()]
    if isinstance(value, list | tuple):
        return type(value), [typed(part) for part in value]
    if isinstance(value, set | frozenset):
        return type(value), {part: typed(part) for part in value}
    return float if type(value) is int else type(value), value  # an int may become a float


def listed(value: Any) -> Any:
    """*value* with its tuples as lists."""
    if isinstance(value, dict):
        return {key: listed(part) for key, part in value.items()}
    return [listed(part) for part in value] if type(value) in (list, tuple) else value


modestly = settings(
    max_examples=75, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@modestly
@given(typed_values())
def test_value_of_the_annotation_is_accepted_and_arrives_equal(pair: tuple[Any, Any]) -> None:
    annotation, value = pair

    assert typed(carried(annotation, value)) == typed(value)


@modestly
@given(st.sampled_from([*VALUES, *(list[it] for it in VALUES)]), st.sampled_from(ODDITIES))
def test_odd_value_is_refused_or_arrives_equal(annotation: Any, value: Any) -> None:
    for odd in (value, [value], (value,), {"a": value}):
        try:
            back = carried(annotation, odd)
        except EncodeError:
            continue

        assert typed(back) == typed(odd)


@modestly
@given(nested(st.sampled_from(ODDITIES) | st.integers(), st.text() | st.integers()))
def test_value_without_an_annotation_is_refused_or_arrives_equal(value: Any) -> None:
    try:
        back = carried(Any, value)
    except EncodeError:
        assume(False)

    assert typed(back) == typed(listed(value))


@modestly
@given(json.map(listed))
def test_json_without_an_annotation_arrives_as_it_is(value: Any) -> None:
    assert repr(carried(Any, value)) == repr(value)


@modestly
@given(st.datetimes(timezones=st.timezones()))
def test_datetime_in_any_zone_is_refused_or_arrives_as_the_same_instant(
    moment: datetime,
) -> None:
    try:
        back = carried(datetime, moment)
    except EncodeError:
        offset = moment.utcoffset()
        assert offset is not None
        assert offset % timedelta(minutes=1)
        return

    assert back.timestamp() == moment.timestamp()
    assert back.replace(tzinfo=None) == moment.replace(tzinfo=None)


@modestly
@given(
    st.sampled_from([*VALUES, *(dict[key, Item] for key in KEYS)]),
    st.lists(json),
    st.dictionaries(st.just("it") | st.text(), json),
)
def test_whatever_is_stored_raises_nothing_but_decode_errors(
    annotation: Any, args: list[Any], kwargs: dict[str, Any]
) -> None:
    with suppress(DecodeError):
        declare(annotation).load(*msgspec.json.decode(msgspec.json.encode([args, kwargs])))
