"""What arrives as it was sent, and what is refused because it would not."""

from __future__ import annotations

import uuid
from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    TypedDict,
    TypeVar,
)
from zoneinfo import ZoneInfo

import msgspec
import pytest

from ltq_core.arguments import Arguments
from ltq_core.errors import DecodeError, EncodeError

UNTYPED = object()
BERLIN = ZoneInfo("Europe/Berlin")
NAN, INFINITY = float("nan"), float("inf")
T = TypeVar("T")
UserId = NewType("UserId", int)


class Color(Enum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


class Mode(StrEnum):
    FAST = "fast"


class Right(Flag):
    READ = 1
    WRITE = 2


class Text(str):
    __slots__ = ()


class Count(int):
    pass


class Point(NamedTuple):
    x: int
    y: float


class Order(TypedDict):
    id: int
    due: NotRequired[date]


@dataclass
class Item:
    price: Decimal
    tags: list[str] = field(default_factory=list)
    note: str = field(default="", compare=False)


@dataclass
class Discounted(Item):
    off: float = 0.0


@dataclass(frozen=True, slots=True)
class Frozen:
    when: datetime


@dataclass(eq=False)
class Unequal:
    x: int


@dataclass
class Box(Generic[T]):
    it: T


@dataclass
class Tree:
    twigs: list[Tree]


class Money(msgspec.Struct):
    amount: Decimal
    _code: str = "EUR"


class Opaque(msgspec.Struct, eq=False, array_like=True):
    x: int


class Ledger(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    entries: dict[date, Money] = {}


def declare(annotation: Any) -> Arguments:
    """The arguments of a function of one parameter, `it`, so annotated."""

    def task(it): ...

    if annotation is not UNTYPED:
        task.__annotations__["it"] = annotation
    return Arguments(task, "w:task")


def carried(annotation: Any, value: Any) -> Any:
    """What *value* is on the other side."""
    arguments = declare(annotation)
    args, kwargs = msgspec.json.decode(msgspec.json.encode(arguments.dump((value,), {})))
    return arguments.load(args, kwargs)[0][0]


ARRIVES: list[tuple[Any, Any]] = [
    (UNTYPED, None),
    (UNTYPED, True),
    (UNTYPED, 2**64 - 1),
    (UNTYPED, -(2**63)),
    (UNTYPED, 10**400),
    (UNTYPED, -0.0),
    (UNTYPED, 5e-324),
    (UNTYPED, 1e22),
    (UNTYPED, "naïve \U0001f600 \0"),
    (UNTYPED, [1, 1.0, True, None, {"a": [[]]}]),
    (Any, {"": {}}),
    (object, [1]),
    (int, 2**70),
    (float, 1.5),
    (str, "\x7f\u2028"),
    (bytes, b"\0\xff"),
    (bytearray, bytearray(b"x")),
    (datetime, datetime(2024, 2, 29, 12, 30, 1, 5)),  # noqa: DTZ001
    (datetime, datetime(2024, 7, 1, tzinfo=UTC)),
    (datetime, datetime(2024, 7, 1, tzinfo=BERLIN)),
    (datetime, datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))),
    (datetime, datetime.max),  # noqa: DTZ901
    (date, date.max),
    (time, time(1, 2, 3, 4)),
    (time, time(1, 2, tzinfo=UTC)),
    (timedelta, timedelta.max),
    (timedelta, timedelta.min),
    (timedelta, timedelta(microseconds=-1)),
    (uuid.UUID, uuid.UUID(int=7)),
    (Decimal, Decimal("1.10")),
    (Decimal, Decimal("-0")),
    (Decimal, Decimal("1E+500")),
    (Color, Color.RED),
    (Level, Level.LOW),
    (Mode, Mode.FAST),
    (Right, Right.READ | Right.WRITE),
    (Right, Right(0)),
    (Literal["a", 1, None], 1),
    (int | None, None),
    (int | float | str | None, 1.0),
    (Decimal | float, Decimal("1.5")),
    (timedelta | int, timedelta(1)),
    (UserId, 5),
    (Annotated[int, msgspec.Meta(ge=3)], 3),
    (list[int], []),
    (list[float], [1.5, 2.5]),
    (tuple[int, str], (1, "a")),
    (tuple[int, ...], (1, 2, 3)),
    (tuple[()], ()),
    (set[int], {1, 2}),
    (frozenset[tuple[int, str]], frozenset({(1, "a")})),
    (set[Frozen], {Frozen(datetime(2024, 1, 1, tzinfo=UTC))}),
    (Sequence[int], [1]),
    (AbstractSet[int], {1}),
    (Mapping[str, int], {"a": 1}),
    (dict, {"a": [1, {}]}),
    (dict[int, str], {1: "a", -5: "b"}),
    (dict[float, int], {1.5: 1}),
    (dict[date, int], {date(2024, 1, 1): 1}),
    (dict[datetime, int], {datetime(2024, 1, 1, tzinfo=UTC): 1}),
    (dict[timedelta, int], {timedelta(1): 1}),
    (dict[uuid.UUID, int], {uuid.UUID(int=7): 1}),
    (dict[Decimal, int], {Decimal("1.0"): 1}),
    (dict[Color, int], {Color.RED: 1}),
    (dict[bytes, int], {b"a": 1}),
    (dict[Literal[1, 2], int], {1: 1}),
    (Point, Point(1, 2.0)),
    (Order, {"id": 1}),
    (Order, {"due": date(2024, 1, 1), "id": 1}),
    (Item, Item(Decimal("9.90"), ["new"], "fragile")),
    (list[Item | None], [Item(Decimal(1)), None]),
    (Frozen, Frozen(datetime(2024, 1, 1, tzinfo=UTC))),
    (Box[int], Box(1)),
    (Box, Box([1])),
    (Tree, Tree([Tree([]), Tree([Tree([])])])),
    (Ledger, Ledger({date(2024, 1, 1): Money(Decimal(3), "USD")})),
    (Ledger, Ledger()),
]


@pytest.mark.parametrize(
    ("annotation", "value"), ARRIVES, ids=[ascii(value)[:40] for _, value in ARRIVES]
)
def test_value_arrives_equal_and_of_its_type(annotation: Any, value: Any) -> None:
    back = carried(annotation, value)

    assert back == value
    assert type(back) is type(value)
    assert str(back) == str(value) or isinstance(value, datetime | AbstractSet)


@pytest.mark.parametrize(
    ("annotation", "value", "arrives"),
    [
        (float, 3, 3.0),
        (list[float], [1, 2**53], [1.0, float(2**53)]),
        (set[float], {1}, {1.0}),
        (Point, Point(1, 2), Point(1, 2.0)),
        (dict[float, int], {1: 1}, {1.0: 1}),
    ],
)
def test_int_given_for_a_float_arrives_as_the_same_number(
    annotation: Any, value: Any, arrives: Any
) -> None:
    assert repr(carried(annotation, value)) == repr(arrives)


@pytest.mark.parametrize(
    ("value", "arrives"),
    [((1, 2), [1, 2]), ({"a": [(1, (2,))]}, {"a": [[1, [2]]]}), ((), [])],
)
def test_tuple_without_an_annotation_arrives_as_a_list(value: Any, arrives: Any) -> None:
    assert carried(UNTYPED, value) == arrives


@pytest.mark.parametrize("fold", [0, 1])
@pytest.mark.parametrize("wall", [(2024, 10, 27, 2, 30), (2024, 3, 31, 2, 30)])
def test_datetime_in_a_repeated_or_skipped_hour_arrives_as_the_same_instant(
    wall: tuple[int, int, int, int, int], fold: int
) -> None:
    moment = datetime(*wall, fold=fold, tzinfo=BERLIN)

    back = carried(datetime, moment)

    assert back.timestamp() == moment.timestamp()
    assert back.utcoffset() == moment.utcoffset()


@pytest.mark.parametrize("value", [Unequal(1), Opaque(1)])
def test_class_without_equality_is_compared_by_its_fields(value: Any) -> None:
    assert carried(type(value), value).x == 1


def test_field_outside_of_a_classs_equality_is_compared_too() -> None:
    class Absurd(msgspec.Struct):
        x: int

        def __post_init__(self) -> None:
            self.x += 1

        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None

    with pytest.raises(EncodeError, match=r"`it\.x` .*: another `int` would arrive"):
        carried(Absurd, Absurd(1))


CYCLE: list[Any] = []
CYCLE.append([CYCLE])
RINGED = Tree([])
RINGED.twigs.append(RINGED)
DEEP: list[Any] = []
for _ in range(300):
    DEEP = [DEEP]

REFUSED: list[tuple[Any, Any, str, str]] = [
    (UNTYPED, NAN, "it", "JSON has no NaN and no infinities."),
    (UNTYPED, {"a": [1, -INFINITY]}, "it[...][1]", "JSON has no NaN and no infinities."),
    (float, INFINITY, "it", "JSON has no NaN and no infinities."),
    (list[float], [1.0, NAN], "it[1]", "JSON has no NaN and no infinities."),
    (dict[float, int], {INFINITY: 1}, "it (a key)", "JSON has no NaN and no infinities."),
    (dict[float, int], {NAN: 1}, "it (a key)", "JSON has no NaN and no infinities."),
    (str, "a\ud800", "it", "a lone surrogate is no text."),
    (UNTYPED, ["\udc00"], "it[0]", "a lone surrogate is no text."),
    (dict[str, int], {"\udc00": 1}, "it (a key)", "a lone surrogate is no text."),
    (Item, Item(Decimal(1), ["\ud800"]), "it.tags[0]", "a lone surrogate is no text."),
    (UNTYPED, CYCLE, "it", "it is nested deeper than 200 levels, or contains itself."),
    (UNTYPED, DEEP, "it", "it is nested deeper than 200 levels, or contains itself."),
    (Tree, RINGED, "it", "it is nested deeper than 200 levels, or contains itself."),
    (UNTYPED, 10**5000, "it", "`int` has no JSON form; "),
    (UNTYPED, {1}, "it", "`set` would arrive as `list`; "),
    (UNTYPED, b"x", "it", "`bytes` would arrive as `str`; "),
    (UNTYPED, {"a": date(2024, 1, 1)}, "it[...]", "`date` would arrive as `str`; "),
    (UNTYPED, {1: 2}, "it (a key)", "`int` would arrive as `str`; "),
    (UNTYPED, {None: 2}, "it", "`NoneType` has no JSON form as a key; "),
    (UNTYPED, Level.LOW, "it", "`Level` would arrive as `int`; "),
    (UNTYPED, Mode.FAST, "it", "`Mode` would arrive as `str`; "),
    (UNTYPED, Text("a"), "it", "`Text` has no JSON form; "),
    (UNTYPED, Count(1), "it", "`Count` has no JSON form; "),
    (UNTYPED, Point(1, 2.0), "it", "`Point` would arrive as `list`; "),
    (UNTYPED, OrderedDict(a=1), "it", "`OrderedDict` would arrive as `dict`; "),
    (UNTYPED, Item(Decimal(1)), "it", "`Item` would arrive as `dict`; "),
    (UNTYPED, [object()], "it[0]", "`object` has no JSON form; "),
    (int, True, "it", "expected `int`, got `bool`."),
    (int, 1.0, "it", "expected `int`, got `float`."),
    (int, "1", "it", "expected `int`, got `str`."),
    (int, None, "it", "expected `int`, got `null`."),
    (int, Level.LOW, "it", "`Level` would arrive as `int`."),
    (float, True, "it", "expected `float`, got `bool`."),
    (float, 2**53 + 1, "it", "another `float` would arrive."),
    (str, Mode.FAST, "it", "`Mode` would arrive as `str`."),
    (Mode, "fast", "it", "`str` would arrive as `Mode`."),
    (Color, "blue", "it", "invalid enum value."),
    (bytes, bytearray(b"x"), "it", "`bytearray` would arrive as `bytes`."),
    (Decimal, 1.5, "it", "`float` would arrive as `Decimal`."),
    (Decimal, Decimal("NaN"), "it", "another `Decimal` would arrive."),
    (Decimal, Decimal("sNaN"), "it", "InvalidOperation was raised on the way."),
    (date, datetime(2024, 1, 1, tzinfo=UTC), "it", "invalid RFC3339 encoded date."),
    (time, time(1, tzinfo=BERLIN), "it", "another `time` would arrive."),
    (
        datetime,
        datetime(2024, 1, 1, tzinfo=timezone(timedelta(seconds=30))),
        "it",
        "another `datetime` would arrive.",
    ),
    (Literal[1], True, "it", "expected `int`, got `bool`."),
    (list[int], (1,), "it", "`tuple` would arrive as `list`."),
    (Sequence[int], (1,), "it", "`tuple` would arrive as `list`."),
    (list[int], [1, True], "it[1]", "expected `int`, got `bool`."),
    (set[int], frozenset({1}), "it", "`frozenset` would arrive as `set`."),
    (set[str], {Mode.FAST}, "it[...]", "`Mode` would arrive as `str`."),
    (tuple[int, float], Point(1, 2.0), "it", "`Point` would arrive as `tuple`."),
    (dict[str, int], defaultdict(int, a=1), "it", "`defaultdict` would arrive as `dict`."),
    (dict[str, int], {1: 1}, "it (a key)", "`int` would arrive as `str`."),
    (dict[int, int], {"1": 1}, "it (a key)", "`str` would arrive as `int`."),
    (dict[int, int], {True: 1}, "it", "`bool` has no JSON form as a key."),
    (dict[Any, int], {1: 1, "1": 1}, "it", "another `dict` would arrive."),
    (dict[str, Any], {"a": (1,)}, "it[...]", "`tuple` would arrive as `list`."),
    (Order, {"id": 1, "extra": 2}, "it", "another `dict` would arrive."),
    (Order, {"id": "1"}, "it.id", "expected `int`, got `str`."),
    (Item, Discounted(Decimal(1)), "it", "`Discounted` would arrive as `Item`."),
    (Item, {"price": "1"}, "it", "`dict` would arrive as `Item`."),
    (
        list[Item],
        [Item(Decimal(1)), Item(1.5)],
        "it[1].price",
        "`float` would arrive as `Decimal`.",
    ),
    (Annotated[int, msgspec.Meta(ge=3)], 1, "it", "expected `int` >= 3."),
]


@pytest.mark.parametrize(
    ("annotation", "value", "path", "reason"),
    REFUSED,
    ids=[f"{path}: {reason}" for _, _, path, reason in REFUSED],
)
def test_value_that_would_not_arrive_is_refused(
    annotation: Any, value: Any, path: str, reason: str
) -> None:
    with pytest.raises(EncodeError) as refused:
        carried(annotation, value)

    expected = f"Argument `{path}` of task 'w:task' cannot be sent: {reason}"
    assert str(refused.value).startswith(expected)


def test_refusal_without_an_annotation_advises_to_annotate() -> None:
    with pytest.raises(EncodeError, match="types pass without an annotation, so annotate"):
        carried(UNTYPED, date(2024, 1, 1))


@pytest.mark.parametrize(
    ("annotation", "plain", "path", "reason"),
    [
        (int, "7", "it", "expected `int`, got `str`."),
        (datetime, "yesterday", "it", "invalid RFC3339 encoded datetime."),
        (Color, "secret", "it", "invalid enum value."),
        (list[Item], [{"price": "1"}, {}], "it[1]", "object missing required field `price`."),
        (dict[str, list[int]], {"secret": [None]}, "it[...][0]", "expected `int`, got `null`."),
        (dict[int, int], {"secret": 1}, "it (a key)", "expected `int`, got `str`."),
        (set[Item], [{"price": "1"}], "it", "TypeError was raised on the way."),
    ],
)
def test_stored_value_that_does_not_fit_is_refused_without_showing_it(
    annotation: Any, plain: Any, path: str, reason: str
) -> None:
    with pytest.raises(DecodeError) as refused:
        declare(annotation).load([plain], {})

    expected = f"Argument `{path}` of task 'w:task' does not fit: {reason}"
    assert str(refused.value) == expected


def test_error_of_a_classs_own_code_is_the_cause_of_the_refusal() -> None:
    @dataclass
    class Picky:
        x: int

        def __post_init__(self) -> None:
            raise LookupError("no")

    with pytest.raises(DecodeError, match="LookupError was raised on the way") as refused:
        declare(Picky).load([{"x": 1}], {})

    assert isinstance(refused.value.__cause__, LookupError)
