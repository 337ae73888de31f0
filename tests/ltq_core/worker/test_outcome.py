"""What a failure means for its message."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from hostile import Masked
from ltq_core.clock import now
from ltq_core.dead_letter import DeadLetter
from ltq_core.errors import DeferError, RejectError, RetryError
from ltq_core.message import Delivery, Message
from ltq_core.worker.outcome import TEXT_LIMIT, Again, Dead, count_try, decide, letter


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


CAUSE = OSError("the cause")
ERROR = ValueError("the error")
RETRY = RetryError(5)
NEGATIVE = RetryError(-5)
REJECT = RejectError("no use")
CAUSED = caused(RejectError("no such page"), CAUSE)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (RETRY, Again(5, RETRY)),
        (caused(RetryError(timedelta(minutes=1)), CAUSE), Again(60, CAUSE)),
        (DeferError(5), Again(5, None)),
        (caused(DeferError(), CAUSE), Again(0, None)),
        (NEGATIVE, Again(0, NEGATIVE)),
        (REJECT, Dead("rejected", REJECT, "no use")),
        (CAUSED, Dead("rejected", CAUSED, "no such page")),
        (caused(RejectError(), CAUSE), Dead("rejected", CAUSE)),
        (
            caused(RejectError("failed 3 times", kind="tries_exhausted"), CAUSE),
            Dead("tries_exhausted", CAUSE, "failed 3 times"),
        ),
        (ERROR, Dead("failed", ERROR)),
    ],
)
def test_outcome_of_a_run(error: BaseException, outcome: Again | Dead):
    assert decide(error) == outcome


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError(), GeneratorExit()]
)
def test_what_is_no_exception_is_a_failure_too(error: BaseException):
    assert decide(error) == Dead("failed", error)


@pytest.mark.parametrize("signal", [RetryError, DeferError])
@pytest.mark.parametrize("delay", [float("inf"), float("nan")])
def test_delay_without_an_end_is_a_failure(signal: type, delay: float):
    dead = decide(signal(delay))

    assert isinstance(dead, Dead)
    assert dead.reason == "failed"
    assert f"asks for a delay of {delay} s" in str(dead.error)


class BareRetry(RetryError):
    """A signal of the task's own whose `__init__` does not call the one it overrides."""

    def __init__(self) -> None: ...


class BareDefer(DeferError):
    def __init__(self) -> None: ...


class BareReject(RejectError):
    def __init__(self) -> None: ...


BARE_RETRY = BareRetry()
BARE_REJECT = BareReject()


@pytest.mark.parametrize(
    ("signal", "outcome"),
    [
        (BARE_RETRY, Again(0, BARE_RETRY)),
        (BareDefer(), Again(0, None)),
        (BARE_REJECT, Dead("rejected", BARE_REJECT)),
    ],
)
def test_bare_subclass_of_a_signal_means_what_the_signal_means(
    signal: Exception, outcome: Again | Dead
):
    assert decide(signal) == outcome


class Nonsense(RetryError):
    delay: Any = "soon"

    def __init__(self) -> None: ...


def test_signal_that_carries_nonsense_is_a_failure():
    dead = decide(Nonsense())

    assert isinstance(dead, Dead)
    assert dead.reason == "failed"
    assert isinstance(dead.error, TypeError)


def test_error_that_hides_its_class_is_a_failure():
    dead = decide(Masked())

    assert isinstance(dead, Dead)
    assert dead.reason == "failed"


class Hostile:
    """A reason that has no text."""

    def __str__(self) -> str:
        raise SystemExit(3)


def test_reason_is_a_text_whatever_it_was():
    reason: Any = Hostile()
    dead = decide(RejectError(reason))

    assert isinstance(dead, Dead)
    assert dead.text == "<Hostile without a text>"


def test_failed_run_is_counted_in_ctx():
    message = Message(ctx={"tries": 1})
    before = now()
    count_try(message, ValueError("two\nlines"))

    assert message.ctx["tries"] == 2
    assert before <= message.ctx["last_error"].pop("time") <= now()
    assert message.ctx["last_error"] == {"type": "ValueError", "text": r"two\nlines"}


def test_first_failed_run_is_the_first_try():
    message = Message()
    count_try(message, ValueError("x" * 10_000))

    assert message.ctx["tries"] == 1
    assert len(message.ctx["last_error"]["text"]) == TEXT_LIMIT


def test_text_of_a_counted_failure_can_be_stored():
    message = Message()
    count_try(message, ValueError("\ud800"))

    assert Message.from_json(message.to_json()) == message


def raised(error: BaseException) -> BaseException:
    """*error* with a traceback."""
    with pytest.raises(type(error)):
        raise error
    return error


def test_letter_says_all_about_a_death():
    message = Message(("x",), {}, "a:b", {"tries": 2, "created_at": 5.0})
    message.delivery = Delivery(None, 0.0, 0.0, crashes=1)
    before = now()
    found = letter(message, Dead("failed", raised(ValueError("the\nend"))), "worker-1")

    assert (found.id, found.queue, found.reason) == (message.id, "a:b", "failed")
    assert (found.error_type, found.error) == ("ValueError", r"the\nend")
    assert found.traceback.startswith("Traceback")
    assert (found.tries, found.crashes, found.created_at) == (3, 1, 5.0)
    assert found.worker == "worker-1"
    assert found.host
    assert before <= found.died_at <= now()
    assert found.message is message


@pytest.mark.parametrize(
    ("reason", "tries"),
    [("failed", 3), ("tries_exhausted", 3), ("rejected", 2), ("expired", 2), ("crashed", 2)],
)
def test_only_a_failed_run_counts_as_a_try(reason: Any, tries: int):
    message = Message(ctx={"tries": 2})

    assert letter(message, Dead(reason, ValueError()), "w").tries == tries


def test_letter_without_an_error_says_why_in_its_words():
    found = letter(Message(), Dead("crashed", None, "its worker died 5 times"), "w")

    assert (found.error_type, found.error, found.traceback) == (
        "",
        "its worker died 5 times",
        "",
    )


def test_letter_keeps_a_reason_and_what_it_comes_from():
    dead = decide(caused(RejectError("no such page"), raised(OSError("status 404"))))
    assert isinstance(dead, Dead)
    found = letter(Message(), dead, "w")

    assert (found.error_type, found.error) == ("RejectError", "no such page")
    assert "OSError: status 404" in found.traceback


class Unprintable(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)


@pytest.mark.parametrize(
    "error",
    [ValueError("\ud800"), ValueError("x" * 1_000_000), Unprintable(), RecursionError()],
)
def test_letter_of_a_hostile_exception_can_be_stored(error: BaseException):
    found = letter(Message((), {}, "a:b"), Dead("failed", raised(error)), "w")

    assert len(found.to_json()) < 20_000
    assert DeadLetter.from_json(found.to_json()) == found
