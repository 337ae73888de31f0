"""Named loggers; the command line's formatters."""

from __future__ import annotations

import logging
import re
import sys
import traceback
from contextlib import suppress
from typing import TextIO

# C0 and C1 controls, the line and paragraph separators, and the marks that reorder
# text: all that could forge a log line or move a terminal's cursor.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")

# Greedy up to the last '@': a password that nobody encoded may hold any character.
_PASSWORD = re.compile(r"(://[^/\s:]*:)(.*)@", re.DOTALL)

# In a text an '@' may follow that is none of the URL's: there a password ends with its word.
# Words and not one pattern, which would take a hostile text's length squared.
_WORD = re.compile(r"\S+")
_USER = re.compile(r"(://[^/\s:]*:).*")

# Options in a URL's query; secret is one such as `sentinel_password`.
_OPTION = re.compile(r"([?&]([^=&?\s]*)=)([^&\s]*)")
_SECRET = re.compile("password|secret|token", re.IGNORECASE)


class _Logger(logging.Logger):
    """A logger that never raises, whatever its handlers do.

    Many a handler of a user's fails now and then, as where it posts to a server. A worker
    logs between a run and its settling, and in callbacks, where that would end it.
    """

    def handle(self, record: logging.LogRecord) -> None:
        try:
            super().handle(record)
        except Exception:
            with suppress(Exception):  # stderr may be closed, which leaves nobody to tell
                logging.Handler().handleError(record)


def get_logger(name: str = "") -> logging.Logger:
    """The logger ``ltq`` or, with a name, ``ltq.<name>``; no handler makes it raise."""
    logger = logging.getLogger(f"ltq.{name}" if name else "ltq")
    if type(logger) is logging.Logger:  # logging's own; a configuration may have made it before
        logger.__class__ = _Logger
    return logger


def counted(number: int, noun: str) -> str:
    """*number* things, as in "1 job" and "2 jobs"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def printable(text: object, limit: int = 500) -> str:
    """*text* on one line: control characters escaped, cut after *limit* characters.

    An object whose ``__str__`` raises is named by its type.
    """
    try:
        raw = str(text)
    except BaseException:  # any object may come here, and naming it must not fail
        raw = f"<{type(text).__name__} without a text>"
    cut = raw if len(raw) <= limit else raw[: limit - 1] + "…"
    clean = CONTROL.sub(lambda found: ascii(found.group())[1:-1], cut)
    return clean.encode(errors="backslashreplace").decode()


def redact(url: str) -> str:
    """*url* with its passwords masked; every URL that is shown goes through here."""
    # Masked before it is cut: a password may be longer than what is shown.
    return printable(_OPTION.sub(_mask_option, _PASSWORD.sub(r"\1***@", url)))


def masked(text: str, url: str = "", limit: int = 500) -> str:
    """*text* as `printable`, with the passwords of all URLs in it masked.

    Args:
        text: What somebody else wrote, such as an error's text.
        url: One whose passwords are masked wherever they stand in *text*, even in part:
            what fails to parse a URL shows the piece that it failed at.
        limit: How many characters are shown.
    """
    return printable(_mask(text, url), limit)


def harmless(error: BaseException, url: str = "") -> BaseException | None:
    """*error*, to be chained; None if its traceback would show a password, as of *url*."""
    lines = format_traceback(error, limit=sys.maxsize).splitlines()
    return error if all(_mask(line, url) == line for line in lines) else None


def _mask(text: str, url: str = "") -> str:
    shown = _WORD.sub(_mask_word, text)
    for secret in _secrets(url):
        # Whole words, or a password of one letter would leave no sentence readable. A
        # scheme is none, though a password may be the same word.
        pattern = rf"(?<!\w){re.escape(secret)}(?!\w|://)"
        shown = re.sub(pattern, "***", shown, flags=re.IGNORECASE)
    return shown


def _mask_word(found: re.Match[str]) -> str:
    before, at, after = found[0].rpartition("@")
    return _OPTION.sub(_mask_option, _USER.sub(r"\1***", before, count=1) + at + after)


def _mask_option(found: re.Match[str]) -> str:
    return f"{found[1]}***" if _SECRET.search(found[2]) else found[0]


def _secrets(url: str) -> list[str]:
    """The passwords of *url* and their words, as they stand and decoded; longest first."""
    from urllib.parse import unquote

    raw = [found[2] for found in _PASSWORD.finditer(url)]
    raw += [found[3] for found in _OPTION.finditer(url) if _SECRET.search(found[2])]
    whole = {form for text in raw for form in (text, unquote(text)) if form}
    words = {word for text in whole for word in re.findall(r"\w+", text)}
    return sorted(whole | words, key=len, reverse=True)


def with_article(word: str) -> str:
    """*word*, mostly a type's name, as it stands in a sentence: an int, a UUID."""
    return f"an {word}" if word[0] in "AEIOaeio" else f"a {word}"


def typed(thing: object) -> str:
    """What *thing* is: ``a str``, ``an int``."""
    return with_article(type(thing).__name__)


def describe(error: BaseException, limit: int = 500) -> str:
    """*error* as ``Type: text`` on one line, whatever its ``__str__`` does; no password."""
    text = masked(printable(error, limit=sys.maxsize), limit=limit)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def format_traceback(error: BaseException, limit: int = 8000) -> str:
    """The traceback of *error*, its last *limit* characters; never raises."""
    try:
        text = "".join(traceback.format_exception(error))
    except BaseException:  # an exception's own __str__ or __notes__ may raise
        text = "".join(traceback.format_tb(error.__traceback__)) + describe(error)
    return text if len(text) <= limit else "…" + text[-limit:]


class LineFormatter(logging.Formatter):
    """``12:30:01 WARNING  ltq.worker  text``; a message never breaks out of its line.

    Tracebacks keep their lines, indented: what an exception says may span several, and
    none of them may pass for a line of the log.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-8s %(name)s  %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        record.message = printable(record.message, limit=4000)
        return super().formatMessage(record)

    def formatException(self, ei: object) -> str:  # noqa: N802 (logging's name)
        error = ei[1] if isinstance(ei, tuple) else None
        if not isinstance(error, BaseException):
            return ""
        lines = format_traceback(error).splitlines()
        return "\n".join(f"  {printable(_mask(line), limit=1000)}" for line in lines)


def configure_logging(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send what LTQ and the tasks log to *stream* (stderr), from *level* upwards."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(LineFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
