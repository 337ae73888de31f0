"""What every leasing broker needs: a thread that keeps leases, and one client a loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import random
import sys
import threading
import time
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

from ltq_core.clock import virtual_clock
from ltq_core.logger import describe, get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable, Iterable

T = TypeVar("T")

# Its own: a thread that drew from the global one would change the numbers that a seeded
# program gets beside it.
_random = random.Random()
log = get_logger("lifeline")

# Seconds between looks at whether a loop that is waited for still runs. A guess.
LOOK_AGAIN = 1.0


class LeaseKeeper:
    """Renews leases from a thread of its own, so that a blocked event loop keeps them.

    Every *interval* seconds (a tenth of it up or down, so that workers do not beat
    in step) it calls *beat*, which renews all leases synchronously and returns those
    that are lost; these go to *on_lost*. A beat that raises is logged and tried again
    after a quarter of the interval.

    It also watches the event loop it was started in. From three intervals on it logs
    where a loop is blocked; once the loop has been blocked for *stuck* seconds, it is
    taken for dead and nothing is renewed until it answers again. A closed loop counts
    as a blocked one without a log line: its leases are renewed for *stuck* seconds more,
    and then the beats end for good. A broker that lives on in other loops and wants them
    to end sooner calls `stop`.

    Where a virtual clock is followed (`ltq_core.clock.follow`) it is a timer on that loop
    instead of a thread.

    Args:
        interval: Seconds between beats; a third of a lease is right.
        beat: Renews every lease and returns the lost ones. Called in the thread.
        on_lost: Told of lost leases, in the thread; it must be thread-safe.
        stuck: Seconds after which a blocked loop counts as dead.
        finish: Called in the thread after the last beat, to release what beats use.

    Attributes:
        context: The context that it was started in: whose leases it keeps.

    Concurrency:
        `start` belongs to the loop that is watched; `stop` may come from any thread.
    """

    def __init__(
        self,
        interval: float,
        beat: Callable[[], Iterable[Hashable]],
        on_lost: Callable[[list[Hashable]], None],
        *,
        stuck: float = 600.0,
        finish: Callable[[], None] | None = None,
    ) -> None:
        self.interval = interval
        self.stuck = stuck
        self._beat = beat
        self._on_lost = on_lost
        self._finish = finish
        self._stopped = threading.Event()
        self._suspended = False
        self._beating = threading.Lock()
        self._thread: threading.Thread | None = None
        self._over: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._timer: asyncio.TimerHandle | None = None
        self.context = contextvars.Context()

    def start(self) -> None:
        """Begin to beat and to watch the running loop; a second call does nothing."""
        if self._thread is not None or self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        _keepers[self] = weakref.ref(loop)
        self.context = contextvars.copy_context()
        if virtual_clock() is not None:
            self._timer = loop.call_later(self.interval, self._tick, loop)
            return
        self._thread = threading.Thread(
            target=self._run, args=(_LoopWatch(loop),), name="ltq-lease", daemon=True
        )
        self._thread.start()

    def stop(self, *, wait: bool = True) -> None:
        """End the beats; with *wait* one that is under way is waited for."""
        self._stopped.set()
        if self._timer is not None:
            self._timer.cancel()
        if wait and self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=self.interval)

    async def stopped(self) -> None:
        """End the beats, and wait for one that is under way, with the loop kept free.

        Unlike `stop` in an executor it works to the end of a loop, which shuts its
        executor down before it ends.

        Cancellation:
            No beat begins any more.
        """
        self.stop(wait=False)
        if self._thread is not None:
            await asyncio.wait({asyncio.wrap_future(self._over)}, timeout=self.interval)
            if self._over.done():
                self._thread.join()  # it has nothing left to do

    def suspend(self) -> None:
        """Beat no more until `resume`, like a process that is stopped.

        For tests of what becomes of a worker that loses its lease.
        """
        with self._beating:
            self._suspended = True

    def resume(self) -> None:
        """Beat again after `suspend`."""
        self._suspended = False

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._beat_once()
        if not self._stopped.is_set():
            self._timer = loop.call_later(self.interval, self._tick, loop)

    def _run(self, watch: _LoopWatch) -> None:
        pause = 0.0  # the first beat comes at once: somebody else's lease may have ended
        while not self._stopped.wait(pause * _random.uniform(0.9, 1.1)):
            pause = self.interval
            if watch.alive(self.interval, self.stuck):
                if not self._beat_once():
                    pause = self.interval / 4
            elif watch.closed:
                break
        try:
            if self._finish is not None:
                self._finish()
        finally:
            self._over.set_result(None)

    def _beat_once(self) -> bool:
        try:
            with self._beating:
                lost = [] if self._suspended else list(self._beat())
            if lost:
                self._on_lost(lost)
        except Exception as error:  # a thread that keeps leases must outlive any failure
            log.warning("A lease could not be renewed and is tried again: %s", describe(error))
            return False
        return True


_keepers: weakref.WeakKeyDictionary[LeaseKeeper, weakref.ref[asyncio.AbstractEventLoop]] = (
    weakref.WeakKeyDictionary()
)


def keepers_of(loop: asyncio.AbstractEventLoop) -> list[LeaseKeeper]:
    """The lease keepers that were started in *loop*: how a test stops a worker's heart."""
    # keyrefs() is a copy made in one step: other threads may start keepers meanwhile.
    alive = [keeper for ref in _keepers.keyrefs() if (keeper := ref()) is not None]
    return [keeper for keeper in alive if _keepers[keeper]() is loop]


class _LoopWatch:
    """Asks one event loop again and again whether it still turns."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread_id = threading.get_ident()
        self._asked_at: float | None = None  # until it answers

    @property
    def closed(self) -> bool:
        """Whether the loop will never turn again."""
        return self._loop.is_closed()

    def alive(self, interval: float, stuck: float) -> bool:
        """Whether the loop answered within *stuck* seconds; logs from three intervals on."""
        asked_at = self._asked_at
        if asked_at is None:
            self._ask()
            return True
        blocked = time.monotonic() - asked_at
        if blocked >= 3 * interval and not self.closed:
            self._report(blocked, stuck)
        return blocked < stuck

    def _ask(self) -> None:
        self._asked_at = time.monotonic()
        with suppress(RuntimeError):  # the loop is closed: nobody will ever answer
            self._loop.call_soon_threadsafe(self._answer)

    def _answer(self) -> None:
        self._asked_at = None

    def _report(self, blocked: float, stuck: float) -> None:
        frame = sys._current_frames().get(self._thread_id)
        where = (
            f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}"
            if frame is not None
            else "an unknown place"
        )
        end = "its leases are no longer renewed" if blocked >= stuck else "its leases are kept"
        log.warning(
            "The event loop has been blocked for %.0f s at %s; %s.", blocked, where, end
        )


class PerLoop(Generic[T]):
    """One client for each running event loop.

    Args:
        factory: Makes a client; called in the loop that is to use it.
        discard: Drops the client of a loop that is closed, synchronously and without
            a ``ResourceWarning``.

    Concurrency:
        Safe from any thread.
    """

    def __init__(self, factory: Callable[[], T], discard: Callable[[T], None]) -> None:
        self._factory = factory
        self._discard = discard
        self._clients: dict[asyncio.AbstractEventLoop, T] = {}
        self._lock = threading.Lock()

    def get(self) -> T:
        """The running loop's client, made at its first use.

        Raises:
            RuntimeError: No event loop is running.
        """
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        return self._create(loop) if client is None else client

    def peek(self) -> T | None:
        """The running loop's client, if it was made already."""
        return self._clients.get(asyncio.get_running_loop())

    def _create(self, loop: asyncio.AbstractEventLoop) -> T:
        client = self._factory()
        with self._lock:
            closed = [other for other in self._clients if other.is_closed()]
            dropped = [self._clients.pop(other) for other in closed]
            self._clients[loop] = client
        for other_client in dropped:
            self._discard(other_client)
        return client

    def drain(self) -> list[tuple[asyncio.AbstractEventLoop, T]]:
        """Take out every client with its loop, so that its owner can close them."""
        with self._lock:
            items = list(self._clients.items())
            self._clients.clear()
        return items

    async def close(self, close: Callable[[T], Coroutine[object, object, None]]) -> None:
        """Close every client with the coroutine function *close*, each in its own loop.

        The client of a loop that does not run is discarded. A failure of one does not
        keep the others from being closed; the first failure is raised.
        """
        here = asyncio.get_running_loop()
        failures: list[BaseException] = []
        for loop, client in self.drain():
            try:
                if loop is here:
                    await close(client)
                elif not await _run_in(loop, close(client)):
                    self._discard(client)
            except Exception as error:
                failures.append(error)
        if failures:
            raise failures[0]


async def _run_in(
    loop: asyncio.AbstractEventLoop, call: Coroutine[object, object, None]
) -> bool:
    """Run *call* in another thread's *loop*; False if that loop ends before the call."""
    if not loop.is_running():
        call.close()
        return False
    future = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call, loop))
    # Not awaited itself: a loop that ends cancels what runs in it, which must not look
    # like a cancellation of the caller; or it ends without having begun.
    while not future.done() and loop.is_running():
        await asyncio.wait({future}, timeout=LOOK_AGAIN)
    if not future.done() or future.cancelled():
        return False
    future.result()
    return True
