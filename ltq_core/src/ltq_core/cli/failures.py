"""How a failure ends ``ltq``: one line on stderr, and an exit code.

What is no `LTQError` is a bug, and keeps its traceback.
"""

from __future__ import annotations

import sys

from ltq_core.errors import BrokerUnavailableError, ConfigurationError, LTQError, PluginError
from ltq_core.logger import format_traceback, masked

FAILED = 1
MISTAKEN = 2
UNREACHABLE = 3
INTERRUPTED = 130


def report(error: LTQError) -> int:
    """Print *error* as one line, whatever it holds, and return the exit code for it."""
    print("Error:", masked(str(error), limit=sys.maxsize), file=sys.stderr)
    if isinstance(error, BrokerUnavailableError):
        return UNREACHABLE
    return MISTAKEN if isinstance(error, ConfigurationError | PluginError) else FAILED


def report_bug(error: BaseException) -> int:
    """Print the traceback of *error*, without passwords, and return the exit code for it."""
    print_traceback(error)
    return FAILED


def report_interrupt(interrupt: KeyboardInterrupt) -> int:
    """Print that Ctrl-C came, and while what, and return the exit code for it."""
    print("Interrupted.", *getattr(interrupt, "__notes__", ()), file=sys.stderr)
    return INTERRUPTED


def print_traceback(error: BaseException) -> None:
    """Print the traceback of *error* to stderr, without passwords."""
    # Whole: a URL that is cut before its user would keep its password.
    for line in format_traceback(error, limit=sys.maxsize).splitlines():
        print(masked(line), file=sys.stderr)
