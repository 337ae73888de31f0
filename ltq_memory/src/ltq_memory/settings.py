"""What a ``memory://`` URL says."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ltq_core import (
    OptionValueError,
    UnknownOptionError,
    UnknownSchemeError,
    did_you_mean,
    printable,
    redact,
)

SHORTEST_LEASE = 0.05
"""Seconds: below it, an ordinary pause of the interpreter would end leases."""


@dataclass(frozen=True, slots=True)
class Settings:
    """A broker's settings, each one an option in the URL's query.

    Attributes:
        lease: Seconds after which the messages of a silent worker come back.
        stuck: Seconds after which a blocked event loop counts as dead.
        dead_letters: How many dead letters a queue keeps.
        dead_letter_age: For how many seconds it keeps each.
        max_message_bytes: The largest message that `publish` takes.
    """

    lease: float = 30.0
    stuck: float = 600.0
    dead_letters: int = 10_000
    dead_letter_age: float = 30 * 86400.0
    max_message_bytes: int = 1024 * 1024


_DEFAULTS = Settings()
_LEAST = {
    "lease": SHORTEST_LEASE,
    "stuck": SHORTEST_LEASE,
    "dead_letters": 0,
    "dead_letter_age": 0,
    "max_message_bytes": 1,
}


def parse_url(url: str) -> tuple[str, Settings]:
    """The store's name and the settings in *url*.

    Raises:
        UnknownSchemeError: It is no ``memory://`` URL.
        UnknownOptionError: It has an option that does not exist.
        OptionValueError: An option's value makes no sense.
    """
    parts = urlsplit(url)
    if parts.scheme != "memory":
        raise UnknownSchemeError(
            f"The memory broker takes 'memory://' URLs, not '{redact(url)}'."
        )
    query = parse_qsl(parts.query, keep_blank_values=True)
    values = {name: _value(name, text) for name, text in query}
    return parts.netloc + parts.path.rstrip("/"), Settings(**values)


def _value(name: str, text: str) -> Any:
    if name not in _LEAST:
        raise UnknownOptionError(
            f"'memory://' URLs have no option '{printable(name, 50)}'. "
            f"{did_you_mean(name, _LEAST)}"
        )
    kind, least = type(getattr(_DEFAULTS, name)), _LEAST[name]
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    if not least <= value < math.inf:
        wanted = "a whole number" if kind is int else "a number of seconds"
        raise OptionValueError(
            f"{name} in a 'memory://' URL must be {wanted}, at least {least}, "
            f"not '{printable(text, 50)}'."
        )
    return value
