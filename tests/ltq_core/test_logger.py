"""Texts that others wrote: on one line, without passwords, whatever they hold."""

from __future__ import annotations

import io
import logging
import sys
import time
from typing import TYPE_CHECKING

import pytest

from ltq_core.logger import (
    LineFormatter,
    configure_logging,
    counted,
    describe,
    format_traceback,
    get_logger,
    harmless,
    masked,
    printable,
    redact,
    typed,
    with_article,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


class Unprintable(Exception):
    """An exception that has no text."""

    def __init__(self, why: BaseException) -> None:
        self.why = why

    def __str__(self) -> str:
        raise self.why

    __repr__ = __str__


def raised(error: BaseException) -> BaseException:
    """*error* with a traceback."""
    with pytest.raises(type(error)):
        raise error
    return error


HOSTILE = [RuntimeError("no"), RecursionError(), SystemExit(3), KeyboardInterrupt()]


@pytest.mark.parametrize(("name", "full"), [("", "ltq"), ("worker", "ltq.worker")])
def test_logger_is_named_below_ltq(name: str, full: str):
    assert get_logger(name).name == full


@pytest.mark.parametrize(("number", "text"), [(0, "0 jobs"), (1, "1 job"), (2, "2 jobs")])
def test_things_are_counted_in_words(number: int, text: str):
    assert counted(number, "job") == text


class Failing(logging.Handler):
    """A handler that forgets to handle its own errors."""

    def emit(self, record: logging.LogRecord) -> None:
        raise ConnectionError(f"the server of {record.name} is away")


def test_handler_that_fails_is_shown_and_does_not_fail_the_caller(
    capsys: pytest.CaptureFixture[str],
):
    logger = get_logger("failing")
    logger.addHandler(Failing())

    logger.error("a run failed")

    err = capsys.readouterr().err
    assert "the server of ltq.failing is away" in err
    assert "Message: 'a run failed'" in err


def test_closed_stderr_does_not_fail_the_caller(monkeypatch: pytest.MonkeyPatch):
    logger = get_logger("closed")
    stream = io.StringIO()
    logger.addHandler(logging.StreamHandler(stream))
    stream.close()
    monkeypatch.setattr(sys, "stderr", stream)

    logger.error("a run failed")


def test_logger_that_was_configured_before_is_kept():
    before = logging.getLogger("ltq.before")
    before.addHandler(Failing())

    assert get_logger("before") is before
    before.error("a run failed")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", r"a\nb"),
        ("a\r\x1b[2Kb", r"a\r\x1b[2Kb"),
        ("\x00\x07\x7f\x9b", r"\x00\x07\x7f\x9b"),
        ("a\u2028b\u2029", r"a\u2028b\u2029"),
        ("\u202eevil\u2066", r"\u202eevil\u2066"),
        ("\ud800", r"\ud800"),
        ("tea ☕ für zwei", "tea ☕ für zwei"),
        (7, "7"),
    ],
)
def test_control_characters_are_escaped(text: object, shown: str):
    assert printable(text) == shown


@pytest.mark.parametrize(("thing", "shown"), [(3, "an int"), ("x", "a str"), ([], "a list")])
def test_type_is_named_with_its_article(thing: object, shown: str):
    assert typed(thing) == shown


def test_long_text_is_cut():
    assert printable("x" * 600, limit=10) == "x" * 9 + "…"
    assert printable("x" * 10, limit=10) == "x" * 10


@pytest.mark.parametrize("why", HOSTILE, ids=repr)
def test_object_without_a_text_is_named_by_its_type(why: BaseException):
    assert printable(Unprintable(why)) == "<Unprintable without a text>"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("no\nway"), r"ValueError: no\nway"),
        (KeyError("gone"), "KeyError: 'gone'"),
        (TimeoutError(), "TimeoutError"),
        (Unprintable(ValueError()), "Unprintable: <Unprintable without a text>"),
    ],
)
def test_error_is_described_on_one_line(error: BaseException, text: str):
    assert describe(error) == text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://user@host:6379", "redis://user@host:6379"),
        ("redis://[::1]:6379/0?lease=30", "redis://[::1]:6379/0?lease=30"),
        ("unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=1"),
        ("redis://:hunter2@host/0", "redis://:***@host/0"),
        ("redis://me:hunter2@host/0", "redis://me:***@host/0"),
        ("redis://me@corp:hunter2@host/0", "redis://me@corp:***@host/0"),
        ("redis://me:hunt@er2@host", "redis://me:***@host"),
        ("redis://me:hunt%40er2@host", "redis://me:***@host"),
        ("redis://me:hunt/er2@host", "redis://me:***@host"),
        ("redis://me:hunt?er#2@host", "redis://me:***@host"),
        ("redis://me:hunt er\n2@host", "redis://me:***@host"),
        ("redis://me:hunter2@h1:1,h2:2/0", "redis://me:***@h1:1,h2:2/0"),
        ("redis+sentinel://h/m?sentinel_password=hunter2&db=1",
         "redis+sentinel://h/m?sentinel_password=***&db=1"),
        ("no URL at all", "no URL at all"),
    ],
)  # fmt: skip
def test_password_is_masked(url: str, shown: str):
    assert redact(url) == shown


def test_password_is_masked_within_a_text():
    text = "cannot reach 'redis://:hun@ter2@host'; write '@' as %40, or ask me@host"

    assert masked(text) == (
        "cannot reach 'redis://:***@host'; write '@' as %40, or ask me@host"
    )


@pytest.mark.parametrize(
    ("url", "text", "shown"),
    [
        ("nats://me:hunter2@h", "no hunter2 here", "no *** here"),
        ("nats://me:hunt%2Fer2@h", "'hunt/er2', 'hunt%2Fer2'", "'***', '***'"),
        ("nats://me:Hunt/er2@h", "int() of 'hunt'", "int() of '***'"),
        ("nats://h?auth_token=hunter2", "hunter2 is refused", "*** is refused"),
        (
            "",
            "no h/m?sentinel_password=hunter2&db=1 here",
            "no h/m?sentinel_password=***&db=1 here",
        ),
        ("nats://me:a@h", "a nats:// URL and a port", "*** nats:// URL and *** port"),
        ("nats://:nats@h", "nats://h is away", "nats://h is away"),
        ("nats://:@h", "nothing to mask", "nothing to mask"),
    ],
)
def test_password_of_a_known_url_is_masked_wherever_it_stands(url: str, text: str, shown: str):
    assert masked(text, url) == shown


@pytest.mark.parametrize(
    "text", ["://a:" * 200_000, "://" * 300_000, "?token" * 200_000, "@://a:?secret=&" * 70_000]
)
def test_hostile_text_is_masked_in_time_that_grows_with_its_length(text: str):
    began = time.process_time()

    masked(text, "redis://:hunter2@host")

    assert time.process_time() - began < 5  # squared it would be minutes


def test_description_of_an_error_shows_no_password():
    assert describe(OSError("nats://me:hunter2@h")) == "OSError: nats://me:***@h"


def test_error_that_shows_no_password_may_be_chained():
    error = raised(ValueError("no port in 'nats://me:***@host'"))

    assert harmless(error, "nats://me:hunter2@host") is error


def test_error_whose_own_cause_shows_a_password_may_not_be_chained():
    error = raised(ValueError("bad URL"))
    error.__context__ = raised(OSError("no 'nats://me:hunter2@host'"))

    assert harmless(error) is None


def test_traceback_in_the_log_shows_no_password():
    record = logging.makeLogRecord({"exc_info": (None, OSError("nats://me:hunter2@h"), None)})

    assert "OSError: nats://me:***@h" in LineFormatter().format(record)


def test_password_longer_than_what_is_shown_is_masked():
    assert redact(f"rediss://me:{'hunter2' * 200}@host/0") == "rediss://me:***@host/0"


def test_traceback_keeps_its_end():
    error = raised(ValueError("x" * 100))
    full, cut = format_traceback(error), format_traceback(error, limit=50)

    assert full.startswith("Traceback")
    assert full.endswith(f"ValueError: {'x' * 100}\n")
    assert cut == "…" + full[-50:]


class HostileNotes(Exception):
    """An exception whose notes cannot be read."""

    @property
    def __notes__(self) -> list[str]:
        raise SystemExit(3)


@pytest.mark.parametrize("why", HOSTILE, ids=repr)
def test_traceback_of_a_hostile_exception_is_shown(why: BaseException):
    assert "raise error" in format_traceback(raised(Unprintable(why)))


def test_traceback_survives_notes_that_cannot_be_read():
    text = format_traceback(raised(HostileNotes("the text")))

    assert text.endswith("HostileNotes: the text")


def logged(message: str, *args: object, error: BaseException | None = None) -> list[str]:
    """The lines that `LineFormatter` makes of one record."""
    trace = error and (type(error), error, error.__traceback__)
    record = logging.LogRecord("ltq.x", logging.ERROR, "", 0, message, args, trace)
    return LineFormatter().format(record).split("\n")


def test_record_is_one_line():
    [line] = logged("it says %s", "one\n12:00:00 INFO     ltq  two\x1b[1A")

    assert line.endswith(r"ERROR    ltq.x  it says one\n12:00:00 INFO     ltq  two\x1b[1A")


def test_no_line_of_a_traceback_passes_for_a_record():
    error = raised(ValueError("one\n12:00:00 INFO     ltq  two\x1b[1A"))
    first, *rest = logged("failed", error=error)

    assert first.endswith("failed")
    assert rest[0] == "  Traceback (most recent call last):"
    assert rest[-1] == r"  12:00:00 INFO     ltq  two\x1b[1A"
    assert all(line.startswith("  ") for line in rest)


def test_record_without_an_exception_has_no_traceback():
    record = logging.LogRecord("ltq", logging.INFO, "", 0, "fine", (), (None, None, None))

    assert len(LineFormatter().format(record).rstrip().split("\n")) == 1


@pytest.fixture
def _untouched_root() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("_untouched_root")
def test_logging_is_configured_from_a_level_upwards():
    stream = io.StringIO()
    configure_logging("WARNING", stream)
    get_logger("worker").info("too little")
    get_logger("worker").warning("enough")

    assert stream.getvalue().endswith("WARNING  ltq.worker  enough\n")
    assert "too little" not in stream.getvalue()


@pytest.mark.usefixtures("_untouched_root")
def test_logging_goes_to_stderr_and_to_nothing_else():
    configure_logging()
    configure_logging()
    [handler] = logging.getLogger().handlers

    assert isinstance(handler, logging.StreamHandler)
    assert handler.stream is sys.stderr


@pytest.mark.parametrize(
    ("word", "phrase"),
    [("int", "an int"), ("str", "a str"), ("OSError", "an OSError"), ("UUID", "a UUID")],
)
def test_type_is_named_as_in_a_sentence(word: str, phrase: str) -> None:
    assert with_article(word) == phrase
