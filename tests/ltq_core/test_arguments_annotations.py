"""Annotations: which are refused when they are declared, and when names resolve."""

from __future__ import annotations

import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar

import msgspec
import pytest

from ltq_core.arguments import Arguments
from ltq_core.errors import ConfigurationError

T = TypeVar("T")


class Color(Enum):
    RED = "red"


class Pair(Enum):
    ONE_TWO = (1, 2)


@dataclass
class Cat:
    name: str


@dataclass
class Dog:
    name: str


@dataclass
class Holder(Generic[T]):
    held: T


@dataclass
class Late:
    when: LaterDefined  # noqa: F821


def declare(annotation: Any) -> Arguments:
    """The arguments of a function of one parameter, `when`, so annotated."""

    def task(when): ...

    task.__annotations__["when"] = annotation
    return Arguments(task, "w:task")


@pytest.mark.parametrize(
    "annotation",
    [
        datetime | str,
        bytes | str,
        Color | str,
        Cat | Dog,
        Cat | dict[str, Any],
        list[int] | set[int],
        list[dict[str, datetime | str]],
        dict[int | str, int],
        dict[Literal["1", 1], int],
    ],
)
def test_annotation_that_needs_guessing_is_refused_and_the_parameter_named(
    annotation: Any,
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        declare(annotation)

    text = str(refused.value)
    assert text.startswith("Parameter 'when' of task 'w:task' is annotated `")
    assert "which cannot be decoded without guessing: " in text


@pytest.mark.parametrize(
    "annotation",
    [
        complex,
        type,
        Callable[[], int],
        Iterator[int],
        deque[int],
        OrderedDict[str, int],
        Holder[complex],
        list[set[complex]],
        dict[tuple[int, int], int],
        dict[bool, int],
        dict[None, int],
        dict[Cat, int],
        msgspec.Raw,
        Pair,
        ClassVar[int],
        Self,
        [int],
        42,
    ],
)
def test_annotation_that_nothing_can_carry_is_refused(annotation: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"'when' .* which cannot be carried: "):
        declare(annotation)


def test_refusal_shows_the_annotation_as_it_was_written() -> None:
    with pytest.raises(ConfigurationError, match=r"annotated `datetime \| str`"):
        declare("datetime | str")


def test_annotation_that_is_no_expression_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"'when' .* cannot be evaluated"):
        declare("when it is due")


def test_union_of_tagged_structs_needs_no_guessing() -> None:
    class Cow(msgspec.Struct, tag=True):
        name: str

    class Pig(msgspec.Struct, tag=True):
        name: str

    arguments = declare(Cow | Pig | None)

    assert arguments.load(*arguments.dump((Pig("Ada"),), {})) == ((Pig("Ada"),), {})


def test_return_annotation_is_nobodys_business() -> None:
    def task(a: date) -> NeverDefined: ...  # noqa: F821

    assert Arguments(task, "w:task").dump((date(2024, 1, 1),), {}) == (("2024-01-01",), {})


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        ("LaterDefined", date(2024, 1, 1)),
        ("list['LaterDefined']", [date(2024, 1, 1)]),
        (Late, Late(date(2024, 1, 1))),
    ],
)
def test_name_that_is_defined_later_resolves_at_the_first_send(
    annotation: Any, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = declare(annotation)

    monkeypatch.setitem(globals(), "LaterDefined", date)

    assert arguments.load(*arguments.dump((value,), {})) == ((value,), {})


@pytest.mark.parametrize(
    "annotation", ["NeverDefined", "list['NeverDefined']", "date.never", Late]
)
@pytest.mark.parametrize(
    "use",
    [
        Arguments.resolve,
        lambda arguments: arguments.dump((1,), {}),
        lambda arguments: arguments.load([1], {}),
    ],
)
def test_name_that_never_resolves_is_an_error_naming_the_parameter(
    annotation: Any, use: Callable[[Arguments], object]
) -> None:
    arguments = declare(annotation)

    with pytest.raises(ConfigurationError, match=r"'when' of .* does not resolve"):
        use(arguments)


def test_local_class_in_a_postponed_annotation_never_resolves() -> None:
    @dataclass
    class Local:
        name: str

    def task(pet: Local): ...

    with pytest.raises(
        ConfigurationError, match=r"Parameter 'pet' .* name 'Local' is not defined"
    ):
        Arguments(task, "w:task").resolve()


def test_name_that_turns_out_to_need_guessing_is_refused_when_it_resolves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = declare("LaterDefined | str")

    monkeypatch.setitem(globals(), "LaterDefined", date)

    with pytest.raises(ConfigurationError, match=r"'when' .* without guessing"):
        arguments.resolve()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the syntax is new in Python 3.12")
def test_type_parameters_and_aliases_are_known() -> None:
    source = "type Days = list[date]\ndef task[D: date](days: 'Days', day: 'D') -> None: ..."
    namespace: dict[str, Any] = {"date": date}
    exec(source, namespace)
    arguments = Arguments(namespace["task"], "w:task")
    day = date(2024, 1, 1)

    assert arguments.load(*arguments.dump(([day], day), {})) == (([day], day), {})
