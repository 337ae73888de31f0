"""Named loggers; the command line's formatters."""

from __future__ import annotations

import logging
import re
import sys
import traceback
from typing import TextIO

# C0 and C1 controls, the line and paragraph separators, and the marks that reorder
# text: all that could forge a log line or move a terminal's cursor.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")

# Greedy up to the last '@': a password that nobody encoded may hold any character.
_PASSWORD = re.compile(r"(://[^/\s:]*:)(.*)@", re.DOTALL)

# Such as `sentinel_password`, in a URL's query.
_SECRET = re.compile(
    r"([?&][^=&\s]*(?:password|secret|token)[^=&\s]*=)([^&\s]*)", re.IGNORECASE
)


def get_logger(name: str = "") -> logging.Logger:
    """The logger ``ltq`` or, with a name, ``ltq.<name>``."""
    return logging.getLogger(f"ltq.{name}" if name else "ltq")


def printable(text: object, limit: int = 500) -> str:
    """*text* on one line: control characters escaped, cut after *limit* characters.

    An object whose ``__str__`` raises is named by its type.
    """
    try:
        raw = str(text)
    except BaseException:  # any object may come here, and naming it must not fail
        raw = f"<{type(text).__name__} without a text>"
    cut = raw if len(raw) <= limit else raw[: limit - 1] + "…"
    clean = _CONTROL.sub(lambda found: ascii(found.group())[1:-1], cut)
    return clean.encode(errors="backslashreplace").decode()


def redact(text: str, url: str = "") -> str:
    """*text* as `printable`, passwords masked; every URL that is shown goes through here.

    Args:
        text: A URL, or a text that may hold one.
        url: Another one, whose passwords are masked wherever they stand in *text*, even
            in part: what fails to parse a URL shows the piece that it failed at.
    """
    # Masked before it is cut: a password may be longer than what is shown.
    return printable(_mask(text, url))


def harmless(error: BaseException, url: str = "") -> BaseException | None:
    """*error*, to be chained; None if its traceback would show a password, as of *url*."""
    lines = format_traceback(error, limit=sys.maxsize).splitlines()
    return error if all(_mask(line, url) == line for line in lines) else None


def _mask(text: str, url: str = "") -> str:
    masked = _SECRET.sub(r"\1***", _PASSWORD.sub(r"\1***@", text))
    for secret in _secrets(url):
        # Whole words, or a password of one letter would leave no sentence readable. A
        # scheme is none, though a password may be the same word.
        pattern = rf"(?<!\w){re.escape(secret)}(?!\w|://)"
        masked = re.sub(pattern, "***", masked, flags=re.IGNORECASE)
    return masked


def _secrets(url: str) -> list[str]:
    """The passwords of *url* and their words, as they stand and decoded; longest first."""
    from urllib.parse import unquote

    raw = [found[2] for find in (_PASSWORD, _SECRET) for found in find.finditer(url)]
    whole = {form for text in raw for form in (text, unquote(text)) if form}
    words = {word for text in whole for word in re.findall(r"\w+", text)}
    return sorted(whole | words, key=len, reverse=True)


def describe(error: BaseException, limit: int = 500) -> str:
    """*error* as ``Type: text`` on one line, whatever its ``__str__`` does."""
    text = printable(error, limit)
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
