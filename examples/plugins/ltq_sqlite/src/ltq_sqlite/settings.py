"""What a ``sqlite://`` URL says."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from ltq_core import (
    ConfigurationError,
    OptionValueError,
    UnknownOptionError,
    did_you_mean,
    printable,
)


@dataclass(frozen=True, slots=True)
class Settings:
    """A parsed URL.

    Attributes:
        path: The file; absolute, so that a later ``chdir`` does not matter.
        lease: Seconds after which the messages of a silent worker come back.
        stuck: Seconds after which a blocked event loop counts as dead.
        dead_letters: The most dead letters kept per queue.
        dead_letter_age: Seconds for which each is kept.
        max_message_bytes: The largest message accepted.
    """

    path: Path
    lease: float = 30.0
    stuck: float = 600.0
    dead_letters: int = 10_000
    dead_letter_age: float = 14 * 86_400.0
    max_message_bytes: int = 1 << 20


_LEAST: dict[str, tuple[type[int] | type[float], float]] = {
    "lease": (float, 0.1),
    "stuck": (float, 1),
    "dead_letters": (int, 1),
    "dead_letter_age": (float, 1),
    "max_message_bytes": (int, 1024),
}
"""Every option, with its kind and least value."""


def parse(url: str) -> Settings:
    """The settings in *url*.

    Raises:
        ConfigurationError: It names no file.
        UnknownOptionError: It has an option that does not exist.
        OptionValueError: An option's value makes no sense.
    """
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    options: dict[str, Any] = dict(map(_option, query))
    return Settings(_path(parts.netloc, unquote(parts.path)), **options)


def _path(host: str, path: str) -> Path:
    if host or path in ("", "/"):
        raise ConfigurationError(
            f"A SQLite URL names a file after three slashes, as in "
            f"'sqlite:///var/lib/queue.db' or 'sqlite:///./queue.db', "
            f"not '{printable(host + path, 100)}'."
        )
    relative = path.startswith(("/./", "/../"))
    return Path(path.removeprefix("/") if relative else path).absolute()


def _option(item: tuple[str, str]) -> tuple[str, float]:
    name, text = item
    if name not in _LEAST:
        raise UnknownOptionError(
            f"SQLite URLs have no option '{printable(name, 50)}'. {did_you_mean(name, _LEAST)}"
        )
    kind, least = _LEAST[name]
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    if not least <= value < math.inf:
        raise OptionValueError(
            f"{name} in a SQLite URL must be a{' whole' * (kind is int)} number, "
            f"at least {least:g}, not '{printable(text, 50)}'."
        )
    return name, value
