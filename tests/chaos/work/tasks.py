"""The tasks of the chaos program: each does what its message says.

A message carries a key and steps, one for each start: words joined by ``;``, such as
``sleep 3; reject``.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import logbook
import raising

import ltq

if TYPE_CHECKING:
    from collections.abc import Iterator


async def act(key: str, steps: list[str]) -> None:
    """Do what *steps* say in the event loop."""
    with logbook.Logged(key, steps) as run:
        for word, value in _words(run.step):
            if word == "sleep":
                await asyncio.sleep(float(value))
            elif word == "until":
                await asyncio.sleep(float(value) - time.monotonic())
            else:
                _do(word, value)


async def other(key: str, steps: list[str]) -> None:
    """`act`, from a queue of its own."""
    await act(key, steps)


async def once(key: str, steps: list[str]) -> None:
    """`act`, where an exception is no reason to try again."""
    await act(key, steps)


async def fresh(key: str, steps: list[str]) -> None:
    """`act`, rejected a minute after it was due."""
    await act(key, steps)


def plain(key: str, steps: list[str]) -> None:
    """Do what *steps* say in a thread."""
    with logbook.Logged(key, steps) as run:
        for word, value in _words(run.step):
            _do("block" if word == "sleep" else word, value)


async def echo(key: str, value: Any) -> None:
    """Write down what arrived."""
    with logbook.Logged(key, [""]):
        logbook.note("arrived", f"{key}={value!r}".encode("unicode_escape").hex())


async def tick(name: str) -> None:
    """Write down which tick of a schedule this is."""
    scheduled_for = ltq.current_message().scheduled_for
    assert scheduled_for is not None
    with logbook.Logged(f"{name}@{scheduled_for.timestamp():.0f}", [""]):
        pass


_OPTIONS: dict[Any, dict[str, Any]] = {
    act: {"max_tries": 50},
    other: {},
    once: {},
    fresh: {"max_age": timedelta(minutes=1)},
    plain: {"max_tries": 50},
    echo: {},
    tick: {},
}


def make_worker(url: str | None = None) -> ltq.Worker:
    """A worker of all tasks; at *url*, or where the environment says."""
    made = ltq.Worker("chaos", broker_url=url)
    for function, options in _OPTIONS.items():
        made.task(**options)(function)
    return made


worker = make_worker()


def _words(step: str) -> Iterator[tuple[str, str]]:
    for part in filter(None, step.split(";")):
        word, _, value = part.strip().partition(" ")
        yield word, value


def _do(word: str, value: str) -> None:
    match word:
        case "block":
            time.sleep(float(value))
        case "spoil":
            ltq.current_message().message.ctx["spoiled"] = object()
        case "retry":
            raise ltq.RetryError(delay=float(value))
        case "reject":
            raise ltq.RejectError("as its message says")
        case "raise":
            raising.EXCEPTIONS[value]()
        case "exit":
            os._exit(1)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case _:
            raise AssertionError(f"unknown word {word!r}")
