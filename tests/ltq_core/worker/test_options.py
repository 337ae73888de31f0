"""Task options: parsed when a task is declared, and once more when all is registered."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from ltq_core.errors import OptionValueError, UnknownOptionError
from ltq_core.limits.max_tries import MaxTries
from ltq_core.middleware import Middleware, Options
from ltq_core.worker.options import check_options, ineffective_options, parse_options
from working import make_worker, running, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from ltq_core.message import Message
    from ltq_core.task import Task


def parse_colour(value: Any) -> str:
    if value not in ("red", "green"):
        raise ValueError(f"must be 'red' or 'green', not {value!r}.")
    return str(value).upper()


class Paint(Middleware):
    """Notes the colours of what was run."""

    options: ClassVar[Options] = {"colour": parse_colour, "gloss": bool}
    requires: ClassVar[Mapping[str, str]] = {"gloss": "colour"}

    def __init__(self) -> None:
        self.seen: list[str] = []

    @asynccontextmanager
    async def __call__(self, message: Message, task: Task[..., Any]) -> AsyncIterator[None]:
        self.seen.append(task.options["colour"])
        yield


def nothing() -> None: ...


@pytest.mark.parametrize(
    ("option", "value", "parsed"),
    [
        ("timeout", 5, 5),
        ("timeout", timedelta(minutes=1), 60.0),
        ("max_crashes", 3, 3),
        ("rate_key", "user", "user"),
        ("colour", "red", "RED"),
        ("max_age", timedelta(hours=1), 3600.0),
        ("unheard_of", "x", "x"),
    ],
)
def test_value_is_parsed_by_what_knows_the_option(option: str, value: Any, parsed: Any):
    beside = {"max_rate": "1/s"} if option == "rate_key" else {}

    assert parse_options("a:b", {option: value, **beside}, [Paint()])[option] == parsed


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"timeout": True}, "timeout of task 'a:b' must be seconds or a timedelta, not True."),
        ({"timeout": -1}, "timeout of task 'a:b' must be more than 0 seconds, not -1."),
        ({"timeout": float("inf")}, "timeout of task 'a:b' must be at most 1e+10 seconds"),
        ({"max_crashes": 1.5}, "max_crashes of task 'a:b' must be a whole number"),
        ({"max_rate": "1/s", "rate_key": "two words"}, "must be the name of a parameter"),
        ({"colour": "blue"}, "colour of task 'a:b' must be 'red' or 'green', not 'blue'."),
        ({"gloss": True}, "gloss of task 'a:b' needs colour beside it."),
        ({"concurrency_key": "user"}, "concurrency_key of task 'a:b' needs max_concurrency"),
    ],
)
def test_value_that_makes_no_sense_is_an_error_that_names_it(
    options: dict[str, Any], text: str
):
    with pytest.raises(OptionValueError) as caught:
        parse_options("a:b", options, [Paint()])

    assert str(caught.value).startswith(text) or text in str(caught.value)


def test_middleware_of_the_worker_comes_before_that_of_plugins():
    class Other(Paint):
        options: ClassVar[Options] = {"max_tries": str}

    assert parse_options("a:b", {"max_tries": 3}, [Other()]) == {"max_tries": "3"}


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        ("max_trys", "Did you mean 'max_tries'?"),
        ("time_out", "Did you mean 'timeout'?"),
        ("color", "Did you mean 'colour'?"),
        ("zzz", "Known are: backoff, colour, concurrency_key,"),
    ],
)
def test_unknown_option_is_an_error_with_a_hint(option: str, hint: str):
    task = make_worker().task(**{option: 1})(nothing)

    with pytest.raises(UnknownOptionError) as caught:
        check_options([task], [Paint()])

    text = str(caught.value)
    assert text.startswith(f"Task 'test:nothing' has an unknown option '{option}'. {hint}")


def test_option_of_a_plugin_that_is_not_in_the_stack_is_known():
    check_options([make_worker().task(max_tries=3)(nothing)], [])


def test_option_is_ineffective_without_its_middleware():
    task = make_worker().task(max_tries=3, max_age=5, timeout=1)(nothing)

    assert ineffective_options([task], [MaxTries()]) == [("test:nothing", "max_age")]


def test_options_are_parsed_by_middleware_that_was_registered_after_the_task():
    worker, paint = make_worker(), Paint()
    task = worker.task(colour="green")(nothing)
    worker.register_middleware(paint)

    async def main() -> None:
        async with running(worker):
            await task.send()
            await until(lambda: paint.seen, "the run")

    asyncio.run(main())

    assert paint.seen == ["GREEN"]
    assert task.options["colour"] == "GREEN"
    assert task.declared["colour"] == "green"


def test_value_that_late_middleware_refuses_is_an_error_at_start():
    worker = make_worker()
    worker.task(colour="blue")(nothing)
    worker.register_middleware(Paint())

    with pytest.raises(OptionValueError, match="must be 'red' or 'green'"):
        asyncio.run(worker.run())


def test_looking_again_changes_nothing_that_was_parsed():
    worker = make_worker()
    task = worker.task(max_age=timedelta(hours=1), max_rate="4/s", backoff=5, max_tries=2)(
        nothing
    )
    before = dict(task.options)
    for _ in range(2):
        check_options([task], worker.middlewares)

    assert {**task.options, "backoff": None} == {**before, "backoff": None}
