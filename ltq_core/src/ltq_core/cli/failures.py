"""How a failure ends ``ltq``: one line on stderr, and an exit code."""

from __future__ import annotations

import sys

from ltq_core.errors import BrokerUnavailableError, ConfigurationError, LTQError, PluginError
from ltq_core.logger import redact

FAILED = 1
MISTAKEN = 2
UNREACHABLE = 3


def report(error: LTQError) -> int:
    """Print *error* as one line, whatever it holds, and return the exit code for it."""
    # Word by word: `redact` cuts what is longer than a URL ever is.
    print("Error:", *map(redact, str(error).split(" ")), file=sys.stderr)
    if isinstance(error, BrokerUnavailableError):
        return UNREACHABLE
    return MISTAKEN if isinstance(error, ConfigurationError | PluginError) else FAILED
