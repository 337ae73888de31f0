"""Whose move an error is, and what the signals carry."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ltq_core import errors
from ltq_core.errors import DeferError, DuplicateMessageError, LTQError, RejectError, RetryError


@pytest.mark.parametrize(
    ("error", "also"),
    [
        (errors.UnknownSchemeError, ValueError),
        (errors.UnknownOptionError, ValueError),
        (errors.OptionValueError, ValueError),
        (errors.DuplicateWorkerError, RuntimeError),
        (errors.EncodeError, TypeError),
        (errors.DecodeError, ValueError),
        (errors.BrokerUnavailableError, ConnectionError),
    ],
)
def test_error_is_also_the_one_that_python_would_raise(
    error: type[Exception], also: type[Exception]
):
    assert issubclass(error, LTQError)
    assert issubclass(error, also)


@pytest.mark.parametrize("signal", [RetryError, DeferError, RejectError])
def test_signal_is_no_error_of_ltqs(signal: type[Exception]):
    assert not issubclass(signal, LTQError)


@pytest.mark.parametrize("signal", [RetryError, DeferError])
@pytest.mark.parametrize(("delay", "seconds"), [(5, 5), (0.5, 0.5), (timedelta(minutes=1), 60)])
def test_signal_carries_its_delay_in_seconds(signal: type, delay: object, seconds: float):
    assert signal(delay).delay == seconds


@pytest.mark.parametrize("signal", [RetryError, DeferError])
def test_signal_without_a_delay_means_at_once(signal: type):
    assert signal().delay == 0


@pytest.mark.parametrize(
    ("signal", "shown"),
    [
        (RetryError(5), "RetryError(5)"),
        (DeferError(0.5, "paused"), "DeferError(0.5, 'paused')"),
        (RejectError("no use"), "RejectError('no use')"),
    ],
)
def test_signal_shows_what_it_carries(signal: Exception, shown: str):
    assert repr(signal) == shown


@pytest.mark.parametrize("signal", [RetryError, DeferError])
def test_delay_that_is_none_is_named(signal: type):
    with pytest.raises(TypeError, match="seconds or a timedelta, not 'try again'"):
        signal("try again")


def test_reject_error_carries_its_reason():
    error = RejectError("no such user")

    assert (error.reason, error.kind, str(error)) == (
        "no such user",
        "rejected",
        "no such user",
    )


def test_duplicate_names_the_message_that_holds_the_key():
    error = DuplicateMessageError("user-7", "abc")

    assert (error.key, error.existing_id) == ("user-7", "abc")
    assert str(error) == "The unique key 'user-7' is held by message abc."
