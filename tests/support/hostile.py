"""What a task may raise to the harm of whoever looks at it."""

from __future__ import annotations

from typing import Any


class Masked(Exception):
    """An exception that hides its class."""

    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise SystemExit(3)


class Nameless(StopIteration):
    """An exception that cannot be shown."""

    def __repr__(self) -> str:
        raise ValueError("no words")

    __str__ = __repr__
