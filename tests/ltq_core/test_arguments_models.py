"""Arguments that are pydantic models."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    RootModel,
    SecretStr,
    computed_field,
)

from ltq_core.arguments import Arguments
from ltq_core.errors import ConfigurationError, DecodeError, EncodeError


class Line(BaseModel):
    price: float
    due: datetime | None = None
    tags: set[str] = set()


class Bill(BaseModel):
    lines: list[Line]


class Urgent(Line):
    level: int = 1


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    day: date = Field(alias="Day")

    @computed_field
    @property
    def year(self) -> int:
        """Is written by pydantic, but never read."""
        return self.day.year


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class Names(RootModel[list[str]]):
    pass


class Login(BaseModel):
    password: SecretStr


class Counted(BaseModel):
    _count: int = PrivateAttr(default=0)


@dataclass
class Folder:
    bills: dict[str, Bill | None]


def declare(annotation: Any) -> Arguments:
    """The arguments of a function of one parameter, `it`, so annotated."""

    def task(it): ...

    task.__annotations__["it"] = annotation
    return Arguments(task, "w:task")


LINE = Line(price=1.5, due=datetime(2024, 1, 1, tzinfo=UTC), tags={"a", "b"})


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Line, LINE),
        (Line | None, None),
        (list[Line | None], [LINE, None]),
        (dict[str, Line], {"a": LINE}),
        (Folder, Folder({"a": Bill(lines=[LINE]), "b": None})),
        (Strict, Strict(Day=date(2024, 1, 1))),
        (Open, Open(a=1, b=[{}])),
        (Names, Names(["a"])),
    ],
)
def test_model_arrives_equal(annotation: Any, value: Any) -> None:
    arguments = declare(annotation)

    sent = msgspec.json.decode(msgspec.json.encode(arguments.dump((value,), {})))

    assert arguments.load(*sent) == ((value,), {})


@pytest.mark.parametrize(
    ("annotation", "value", "path", "reason"),
    [
        (Line, Urgent(price=1), "it", "`Urgent` would arrive as `Line`."),
        (Line, {"price": 1}, "it", "`dict` would arrive as `Line`."),
        (Bill, Bill(lines=[Line(price=float("nan"))]), "it.lines[0].price", "Input should be"),
        (list[Login], [Login(password="hunter2")], "it[0].password", "another `SecretStr`"),
        (object, LINE, "it", "`Line` would arrive as `dict`; only JSON's own types"),
    ],
)
def test_model_that_would_not_arrive_is_refused(
    annotation: Any, value: Any, path: str, reason: str
) -> None:
    with pytest.raises(EncodeError) as refused:
        declare(annotation).dump((value,), {})

    expected = f"Argument `{path}` of task 'w:task' cannot be sent: {reason}"
    assert str(refused.value).startswith(expected)


def test_private_attribute_that_would_be_lost_is_refused() -> None:
    counted = Counted()
    counted._count = 3

    with pytest.raises(EncodeError, match="another `int` would arrive"):
        declare(Counted).dump((counted,), {})


def test_stored_model_that_does_not_fit_is_refused_without_showing_it() -> None:
    stored = [{"lines": [{"price": "hunter2"}]}]

    with pytest.raises(DecodeError) as refused:
        declare(list[Bill]).load([stored], {})

    assert str(refused.value).startswith(
        "Argument `it[0].lines[0].price` of task 'w:task' does not fit: Input should be"
    )
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("annotation", [Line | Bill, Line | str, SecretStr])
def test_model_among_other_types_is_refused_when_it_is_declared(annotation: Any) -> None:
    with pytest.raises(ConfigurationError, match="Parameter 'it' of task 'w:task'"):
        declare(annotation)
