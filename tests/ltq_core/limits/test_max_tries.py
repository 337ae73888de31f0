"""`max_tries`: what becomes of a failure, as a table."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from ltq_core.errors import DeferError, RejectError, RetryError
from ltq_core.limits.max_tries import CAP, MaxTries, exponential, parse_backoff
from ltq_core.message import Message
from ltq_core.testing import MiddlewareConformance
from working import make_worker

INFINITY = float("inf")


class TestContract(MiddlewareConformance):
    task_options: ClassVar[dict[str, Any]] = {
        "max_tries": 3,
        "backoff": 0,
        "retry_on": (ValueError, OSError),
        "give_up_on": FileNotFoundError,
    }
    refused_options: ClassVar[dict[str, Any]] = {
        "max_tries": [0, -1, True, 2.0, "3", None],
        "backoff": [-1, "5", None, True, INFINITY, timedelta(seconds=-1)],
        "retry_on": [(), "ValueError", ValueError(), int, (ValueError, 1)],
        "give_up_on": [[], None, object],
    }

    @pytest.fixture
    def make_middleware(self):
        return MaxTries


def fate(raised: BaseException, tries: int = 0, **options: Any) -> BaseException | None:
    """What a run that raised *raised*, after *tries* failed ones, raises to the worker."""
    decorate = make_worker(middlewares=[MaxTries()]).task(**{"max_tries": 3, **options})
    task = decorate(lambda: None)
    message = Message(ctx={"tries": tries} if tries else {})

    async def main() -> None:
        async with MaxTries()(message, task):
            raise raised

    try:
        asyncio.run(main())
    except BaseException as error:
        return error
    return None


@pytest.mark.parametrize("tries", [0, 1])
def test_failure_before_the_last_try_is_a_retry(tries: int):
    error = ValueError("no")
    retry = fate(error, tries, backoff=7)

    assert isinstance(retry, RetryError)
    assert (retry.delay, retry.__cause__) == (7, error)


@pytest.mark.parametrize("tries", [2, 3, 100])
def test_failure_at_the_last_try_is_a_reject(tries: int):
    error = ValueError("no")
    reject = fate(error, tries)

    assert isinstance(reject, RejectError)
    assert (reject.kind, reject.__cause__) == ("tries_exhausted", error)
    assert reject.reason == f"failed {tries + 1} times"


def test_one_try_means_no_retry():
    assert isinstance(fate(ValueError(), max_tries=1), RejectError)


def test_retry_error_keeps_the_delay_that_the_task_wants():
    error = RetryError(42)

    assert fate(error, backoff=7) is error


def test_retry_error_keeps_its_cause():
    cause = ConnectionError()
    error = RetryError(1)
    error.__cause__ = cause
    retry, reject = fate(error), fate(error, tries=2)

    assert retry is error
    assert retry.__cause__ is cause
    assert reject is not None
    assert reject.__cause__ is cause


def test_retry_error_without_a_cause_is_what_failed_at_the_last_try():
    error = RetryError(1, "try later")
    reject = fate(error, tries=2)

    assert isinstance(reject, RejectError)
    assert reject.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        DeferError(5),
        RejectError("no"),
        GeneratorExit(),
    ],
)
def test_what_is_no_failure_of_the_task_passes(error: BaseException):
    assert fate(error, tries=2) is error


class OwnBaseError(BaseException):
    """Nobody's `except Exception` catches it."""


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(3),
        KeyboardInterrupt(),
        OwnBaseError(),
        BaseExceptionGroup("two", [SystemExit(), ValueError()]),
        asyncio.CancelledError(),
    ],
)
def test_what_is_no_exception_is_a_failure_too(error: BaseException):
    retry, reject = fate(error), fate(error, tries=2)

    assert isinstance(retry, RetryError)
    assert isinstance(reject, RejectError)
    assert retry.__cause__ is reject.__cause__ is error


class Gone(FileNotFoundError):
    """Below both of the classes that the table names."""


RETRIED, PASSED = True, False


@pytest.mark.parametrize(
    ("error", "retry_on", "give_up_on", "answer"),
    [
        (ValueError(), None, None, RETRIED),
        (ValueError(), OSError, None, PASSED),
        (OSError(), OSError, None, RETRIED),
        (Gone(), OSError, None, RETRIED),
        (Gone(), (ValueError, OSError), None, RETRIED),
        (Gone(), None, FileNotFoundError, PASSED),
        (Gone(), OSError, FileNotFoundError, PASSED),
        (Gone(), Gone, OSError, PASSED),
        (ValueError(), None, (OSError, KeyError), RETRIED),
        (RetryError(), OSError, None, RETRIED),
        (RetryError(), None, Exception, RETRIED),
        (TimeoutError(), OSError, None, RETRIED),
        (SystemExit(), Exception, None, PASSED),
        (SystemExit(), (Exception, SystemExit), None, RETRIED),
        (KeyboardInterrupt(), None, (SystemExit, KeyboardInterrupt), PASSED),
    ],
)
def test_what_is_retried(error: BaseException, retry_on: Any, give_up_on: Any, answer: bool):
    options = {"retry_on": retry_on, "give_up_on": give_up_on, "backoff": 1}
    given = {name: value for name, value in options.items() if value is not None}
    raised = fate(error, **given)

    assert isinstance(raised, RetryError) is answer
    assert answer or raised is error


@pytest.mark.parametrize(
    ("backoff", "delay"), [(0, 0), (2.5, 2.5), (timedelta(minutes=1), 60), (CAP * 2, CAP * 2)]
)
def test_constant_backoff_is_exact(backoff: Any, delay: float):
    assert [parse_backoff(backoff)(tries, ValueError()) for tries in (1, 9)] == [delay, delay]


def test_backoff_may_be_a_function_of_tries_and_exception():
    error = ValueError("x")
    asked: list[Any] = []

    def backoff(tries: int, raised: BaseException) -> timedelta:
        asked.append((tries, raised))
        return timedelta(seconds=9)

    retry = fate(error, tries=1, backoff=backoff)

    assert asked == [(2, error)]
    assert isinstance(retry, RetryError)
    assert retry.delay == 9


def test_backoff_that_answers_nonsense_is_an_error_of_its_own():
    assert isinstance(fate(ValueError(), backoff=lambda tries, error: "soon"), TypeError)


@pytest.mark.parametrize(
    ("tries", "ceiling"),
    [(1, 1), (2, 2), (3, 4), (10, 512), (12, 2048), (13, CAP), (50, CAP), (10_000, CAP)],
)
def test_default_backoff_doubles_to_an_hour_with_full_jitter(
    monkeypatch: pytest.MonkeyPatch, tries: int, ceiling: float
):
    monkeypatch.setattr(random, "uniform", lambda low, high: (low, high))

    assert exponential(tries, ValueError()) == (0, ceiling)


def test_default_backoff_is_used_without_one():
    retry = fate(ValueError(), tries=1)

    assert isinstance(retry, RetryError)
    assert 0 <= retry.delay <= 2


def test_task_without_max_tries_pays_nothing():
    assert not MaxTries().applies(make_worker().task(lambda: None))
