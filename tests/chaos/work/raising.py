"""Everything that a task may raise, by name."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, NoReturn

from ltq import RejectError, RetryError

if TYPE_CHECKING:
    from collections.abc import Callable


class OwnBaseError(BaseException):
    """Nobody's `except Exception` catches it."""


class SpeechlessError(Exception):
    """Its text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class DyingError(Exception):
    """Asking for its text ends the program."""

    def __str__(self) -> str:  # noqa: PLE0307 (it never returns)
        sys.exit("no text")

    __repr__ = __str__


class BareRetryError(RetryError):
    """Its `__init__` does not call the one it overrides."""

    def __init__(self) -> None: ...


class BareRejectError(RejectError):
    """Likewise."""

    def __init__(self) -> None: ...


def _raise(error: BaseException) -> NoReturn:
    raise error


def _recurse() -> None:
    _recurse()


def _exhaust_memory() -> None:
    bytearray(sys.maxsize)


def _cancel_itself() -> None:
    # In a thread there is nothing to cancel; then it only raises.
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    if task is not None:
        task.cancel()
    raise asyncio.CancelledError


EXCEPTIONS: dict[str, Callable[[], object]] = {
    "ValueError": lambda: _raise(ValueError("no")),
    "SystemExit": lambda: sys.exit(3),
    "KeyboardInterrupt": lambda: _raise(KeyboardInterrupt()),
    "CancelledError": lambda: _raise(asyncio.CancelledError()),
    "cancel-itself": _cancel_itself,
    "GeneratorExit": lambda: _raise(GeneratorExit()),
    "StopIteration": lambda: _raise(StopIteration()),
    "StopAsyncIteration": lambda: _raise(StopAsyncIteration()),
    "RecursionError": _recurse,
    "MemoryError": _exhaust_memory,
    "TimeoutError": lambda: _raise(TimeoutError()),
    "ConnectionError": lambda: _raise(ConnectionError("not the broker's")),
    "group": lambda: _raise(BaseExceptionGroup("two", [SystemExit(), ValueError()])),
    "bare-retry": lambda: _raise(BareRetryError()),
    "bare-reject": lambda: _raise(BareRejectError()),
    "own-base": lambda: _raise(OwnBaseError()),
    "speechless": lambda: _raise(SpeechlessError()),
    "dying": lambda: _raise(DyingError()),
    "control-characters": lambda: _raise(ValueError("\x1b[2J\r\nERROR forged\0" * 10_000)),
    "surrogate": lambda: _raise(ValueError("\ud800")),
}
"""A name and what raises it."""
