"""`Arguments`: how a call is bound, sent and read, and how its errors name things."""

from __future__ import annotations

import functools
from datetime import date
from typing import Any

import pytest

from ltq_core.arguments import Arguments
from ltq_core.errors import ConfigurationError, DecodeError, EncodeError


def plain(a, b=1):
    """Takes anything."""


def every_kind(a: date, /, b: date, *more: date, c: date, **others: date) -> None:
    """Has parameters of every kind."""


TODAY = date(2024, 2, 29)
UNSENDABLE = object()


def test_positional_arguments_stay_positional_and_keywords_stay_keywords() -> None:
    arguments = Arguments(every_kind, "w:every_kind")
    args, kwargs = (TODAY, TODAY, TODAY, TODAY), {"c": TODAY, "d": TODAY}

    sent = arguments.dump(args, kwargs)

    text = "2024-02-29"
    assert sent == ((text, text, text, text), {"c": text, "d": text})
    assert arguments.load(*sent) == (args, kwargs)


def test_keyword_for_a_parameter_that_may_be_positional_stays_a_keyword() -> None:
    arguments = Arguments(every_kind, "w:every_kind")

    assert arguments.dump((TODAY,), {"b": TODAY, "c": TODAY})[1].keys() == {"b", "c"}


def test_keyword_may_have_the_name_of_a_positional_only_parameter() -> None:
    arguments = Arguments(every_kind, "w:every_kind")
    args, kwargs = (TODAY, TODAY), {"c": TODAY, "a": TODAY}

    assert arguments.load(*arguments.dump(args, kwargs)) == (args, kwargs)


def test_default_is_not_sent_and_need_not_be_sendable() -> None:
    def task(a: int, b: Any = UNSENDABLE) -> None: ...

    assert Arguments(task, "w:task").dump((1,), {}) == ((1,), {})


def test_function_without_parameters_sends_nothing() -> None:
    arguments = Arguments(lambda: None, "w:nothing")

    assert arguments.dump((), {}) == ((), {})
    assert arguments.load([], {}) == ((), {})


def test_loaded_arguments_share_nothing_with_the_message() -> None:
    def task(untyped, nested: dict[str, Any], typed: list[int]) -> None: ...

    stored = [[1], {"a": [1]}, [1]]
    (untyped, nested, typed), _ = Arguments(task, "w:task").load(stored, {})

    untyped.append(2)
    nested["a"].append(2)
    typed.append(2)
    assert stored == [[1], {"a": [1]}, [1]]


@pytest.mark.parametrize(
    ("args", "kwargs", "complaint"),
    [
        ((), {}, "plain() missing 1 required positional argument: 'a'"),
        ((1, 2, 3), {}, "plain() takes from 1 to 2 positional arguments but 3 were given"),
        ((1,), {"a": 2}, "plain() got multiple values for argument 'a'"),
        ((1,), {"c": 2}, "plain() got an unexpected keyword argument 'c'"),
    ],
)
def test_call_that_does_not_fit_fails_like_the_function_itself(
    args: tuple[Any, ...], kwargs: dict[str, Any], complaint: str
) -> None:
    arguments = Arguments(plain, "w:plain")

    with pytest.raises(TypeError) as own:
        plain(*args, **kwargs)
    with pytest.raises(TypeError) as ours:
        arguments.dump(args, kwargs)
    with pytest.raises(DecodeError) as loading:
        arguments.load(args, kwargs)

    assert str(ours.value) == str(own.value) == complaint
    assert str(loading.value) == f"The arguments of task 'w:plain' do not fit: {complaint}."


def test_parameter_names_cannot_clash_with_anything() -> None:
    def task(self, message, delay, type, ABSENT=1, _=2, __=3, lambda_=4, always=5): ...  # noqa: A002, N803

    arguments = Arguments(task, "w:task")
    kwargs = dict.fromkeys(arguments.names, "x")

    assert arguments.load(*arguments.dump((), kwargs)) == ((), kwargs)
    assert arguments.dump((1, 2, 3, 4), {}) == ((1, 2, 3, 4), {})


def test_names_are_those_of_the_parameters_in_order() -> None:
    assert Arguments(every_kind, "w:every_kind").names == ("a", "b", "more", "c", "others")


@pytest.mark.parametrize(
    ("name", "expected"), [("a", 7), ("b", 1), ("more", ()), ("c", "see"), ("others", {"d": 2})]
)
def test_value_is_what_the_call_or_the_default_gives(name: str, expected: object) -> None:
    def task(a, b=1, *more, c, **others): ...

    arguments = Arguments(task, "w:task")

    assert arguments.value(name, (7,), {"c": "see", "d": 2}) == expected


def test_value_of_an_unknown_parameter_is_a_value_error() -> None:
    with pytest.raises(ValueError):
        Arguments(plain, "w:plain").value("z", (1,), {})


class Mailer:
    def method(self, to: date) -> None:
        """Is bound."""

    def __call__(self, to: date) -> None:
        """Makes its objects callable."""


@functools.wraps(every_kind)
def wrapped(*args: Any, **kwargs: Any) -> None:
    """Has the signature of what it wraps."""


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (Mailer().method, ("to",)),
        (Mailer(), ("to",)),
        (functools.partial(every_kind, TODAY, c=TODAY), ("b", "more", "c", "others")),
        (wrapped, ("a", "b", "more", "c", "others")),
    ],
)
def test_annotations_are_found_through_methods_partials_and_wrappers(
    function: Any, names: tuple[str, ...]
) -> None:
    arguments = Arguments(function, "w:f")
    args, kwargs = (TODAY, TODAY)[: len(names)], {} if len(names) == 1 else {"c": TODAY}

    assert arguments.names == names
    assert arguments.load(*arguments.dump(args, kwargs)) == (args, kwargs)


def test_signature_that_cannot_be_read_is_a_configuration_error() -> None:
    def task(): ...

    task.__signature__ = "unreadable"

    with pytest.raises(ConfigurationError, match="The parameters of task 'w:f' cannot be read"):
        Arguments(task, "w:f")


@pytest.mark.parametrize(
    ("args", "kwargs", "path"),
    [
        (("x", TODAY), {"c": TODAY}, "a"),
        ((TODAY, "x"), {"c": TODAY}, "b"),
        ((TODAY, TODAY, TODAY, "x"), {"c": TODAY}, "more[1]"),
        ((TODAY, TODAY), {"c": "x"}, "c"),
        ((TODAY, TODAY), {"c": TODAY, "d": "x"}, "d"),
    ],
)
def test_errors_name_the_argument_of_every_kind(
    args: tuple[Any, ...], kwargs: dict[str, Any], path: str
) -> None:
    arguments = Arguments(every_kind, "w:every_kind")

    with pytest.raises(EncodeError) as sending:
        arguments.dump(args, kwargs)
    with pytest.raises(DecodeError) as loading:
        arguments.load(
            [a if a == "x" else str(a) for a in args],
            {k: v if v == "x" else str(v) for k, v in kwargs.items()},
        )

    start = f"Argument `{path}` of task 'w:every_kind'"
    assert str(sending.value).startswith(f"{start} cannot be sent: ")
    assert str(loading.value).startswith(f"{start} does not fit: ")


def test_keyword_that_is_no_text_is_refused() -> None:
    with pytest.raises(EncodeError, match="lone surrogate"):
        Arguments(lambda **others: None, "w:f").dump((), {"\ud800": 1})
