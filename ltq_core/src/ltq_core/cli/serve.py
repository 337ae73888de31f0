"""Run services until a signal, and end the process whatever their event loops do."""

from __future__ import annotations

import asyncio
import atexit
import gc
import os
import signal
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from ltq_core.cli import flush_output
from ltq_core.cli.failures import report, report_bug
from ltq_core.errors import LTQError
from ltq_core.logger import describe, get_logger
from ltq_core.worker.loop import new_event_loop, run_to_its_end

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from ltq_core.cli.signals import Wakeups
    from ltq_core.worker import Worker

log = get_logger("cli")

# What a worker may take beyond the grace time before its event loop counts as blocked, in
# seconds: more than the second in which a cut run may clean up (`worker.engine.CUT_GRACE`).
MARGIN = 2.0

# What giving back may take then. With the default grace time of 25 s all ends after 29 s;
# Kubernetes kills after 30 s.
RESCUE = 2.0

# What an event loop may take to close after its service ended: it waits for the threads of
# `asyncio.to_thread`, which nobody can stop. A guess.
CLOSING = 0.5


@dataclass(frozen=True)
class Service:
    """Something that runs until it is told to stop.

    Attributes:
        name: For its thread.
        run: Makes the coroutine that is run in the thread's event loop.
        stop: Lets it return; called from another thread.
    """

    name: str
    run: Callable[[], Coroutine[Any, Any, None]]
    stop: Callable[[], None]


def serve(
    services: Sequence[Service], workers: Sequence[Worker], wakeups: Wakeups, grace: float
) -> NoReturn:
    """Run *services*, each in a thread with its own event loop; then end the process.

    The main thread only waits, so that it can act on a signal while a task blocks its
    loop. A signal, or the end of one service, stops them all. Messages that still run
    *grace* seconds and a margin later are given back from here.

    Args:
        services: What to run.
        workers: All workers among and in them.
        wakeups: The signals, noted since before the services were loaded.
        grace: Seconds that running tasks have to finish.
    """
    if wakeups.received:  # while they were loaded: nothing needs to begin
        _leave(0, clean=True)
    # What was imported stays: no collection need look through it again. Six per cent of
    # a worker's time at full speed.
    gc.freeze()
    threads = [_ServiceThread(service, wakeups) for service in services]
    for thread in threads:
        thread.start()
    ended = _wait(threads, wakeups, grace)
    if ended:
        for thread in threads:
            thread.join(CLOSING)
    else:
        _rescue(workers)
    _leave(_exit_code(threads), clean=ended)


class _ServiceThread(threading.Thread):
    def __init__(self, service: Service, wakeups: Wakeups) -> None:
        super().__init__(name=f"ltq-{service.name}", daemon=True)
        self.service = service
        self.ended = False
        self.failure: BaseException | None = None
        self._wakeups = wakeups

    def run(self) -> None:
        runner = asyncio.Runner(loop_factory=new_event_loop)
        try:
            run_to_its_end(runner, self.service.run())
        except BaseException as error:  # reported by the main thread
            self.failure = error
        self.ended = True
        self._wakeups.wake()
        runner.close()


def _wait(threads: Sequence[_ServiceThread], wakeups: Wakeups, grace: float) -> bool:
    """Wait until *threads* have ended; False if they took too long once they had to."""
    deadline: float | None = None
    while not all(thread.ended for thread in threads):
        if deadline is None and (wakeups.received or any(thread.ended for thread in threads)):
            deadline = time.monotonic() + grace + MARGIN
            _stop(threads, wakeups.received, grace)
        if not wakeups.wait(None if deadline is None else deadline - time.monotonic()):
            return False
    return True


def _stop(threads: Sequence[_ServiceThread], number: int, grace: float) -> None:
    for thread in threads:
        thread.service.stop()
    if number:
        log.info(
            "%s: finishing what runs, for up to %g s; the next signal exits at once",
            signal.Signals(number).name,
            grace,
        )


def _rescue(workers: Sequence[Worker]) -> None:
    """Give back what workers with a blocked event loop still hold."""

    async def give_back() -> int:
        async with asyncio.timeout(RESCUE):
            return sum(await asyncio.gather(*(worker.give_back() for worker in workers)))

    try:
        count = asyncio.run(give_back())
    except Exception as error:
        log.warning("What runs returns when its lease ends: %s", describe(error))
    else:
        log.warning("An event loop is blocked: %d messages were given back", count)


def _exit_code(threads: Sequence[_ServiceThread]) -> int:
    failures = [thread.failure for thread in threads if thread.failure is not None]
    if not failures:
        return 0
    if isinstance(failures[0], LTQError):
        return report(failures[0])
    return report_bug(failures[0])


def _leave(code: int, *, clean: bool) -> NoReturn:
    """End the process now, whatever threads a task left behind.

    A usual exit would wait for those that are no daemons, and abort where a daemon is
    just printing. What is registered with `atexit` is run unless an event loop is blocked.
    """
    if clean:
        atexit._run_exitfuncs()
    flush_output()
    os._exit(code)
