"""The event loop that a worker runs in: which one, and what does not end it."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING

from ltq_core.logger import describe, get_logger

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

log = get_logger("worker")


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A new event loop: uvloop's where that is installed, else asyncio's."""
    try:
        uvloop = import_module("uvloop")
    except ModuleNotFoundError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def run_to_its_end(runner: asyncio.Runner, coroutine: Coroutine[Any, Any, None]) -> None:
    """Run *coroutine* in the loop of *runner*, whatever others in that loop do.

    asyncio lets SystemExit and KeyboardInterrupt of any Task or callback out of the loop,
    and what is raised as it logs another exception; there they would end all that runs, as
    `loop.stop` would. Whoever awaits the Task is told of them all the same: a run that
    awaits such a part of its own fails, as by any other exception.
    """
    loop = runner.get_loop()
    main = loop.create_task(coroutine)
    while not main.done():
        try:
            loop.run_until_complete(main)
        except BaseException as error:
            if loop.is_closed() or _ended_with(main, error):
                raise
            text = "What a task started ended with %s; the worker goes on"
            log.error(text, describe(error), exc_info=error)
    main.result()  # it may have ended in the very turn that another one disturbed


def _ended_with(main: asyncio.Task[None], error: BaseException) -> bool:
    return main.done() and (main.cancelled() or main.exception() is error)
