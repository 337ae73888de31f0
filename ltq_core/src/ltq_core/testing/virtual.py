"""A virtual clock, and the event loop that turns it: a week passes in milliseconds."""

from __future__ import annotations

import asyncio
import functools
import math
import random
import selectors
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, overload

from ltq_core.clock import follow, virtual_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Executor

    from ltq_core.clock import Clock

P = ParamSpec("P")
T = TypeVar("T")

START = datetime(2030, 1, 1, tzinfo=UTC)
"""When a virtual clock starts, if nobody says otherwise: a Tuesday at midnight."""

LIMIT = timedelta(days=31)
"""How much virtual time a test may take, if nobody says otherwise. A guess: far more than
most need, and a test that waits in vain still fails within seconds."""

# All times are multiples of a step, the first one that is not too early. So adding and
# subtracting is exact (a float holds seconds since 1970 in steps of 2**-22), and what was
# due at a full second starts at it. About a microsecond.
_STEP = 2.0**-20


class VirtualClock:
    """Time that passes only while nothing else happens, and then at once.

    While it is entered, all of LTQ in this process goes by it: due times, delays, limits,
    leases, schedules. It moves in `run`: whenever everything there waits, it jumps to the
    next timer, so `asyncio.sleep`, timeouts and the lease keepers of ``memory://`` follow
    it. It stands still while a plain task, or anything else in a thread of the loop's, is
    running; it does not wait for sockets. ``time.time()`` and ``datetime.now()`` are not
    changed.

    Two runs of one program take the same course: for that, `random` is seeded on entry
    (and put back afterwards).

    Args:
        start: What it shows at first; an aware datetime.
        seed: For `random`, which jitter is drawn from.
        limit: The most virtual time that one `run` may take.

    Raises:
        ValueError: *start* is naive.
    """

    def __init__(
        self, start: datetime = START, *, seed: int = 0, limit: timedelta = LIMIT
    ) -> None:
        if start.tzinfo is None:
            raise ValueError(f"A clock starts at an aware datetime, not {start}: add tzinfo.")
        self._start = round(start.timestamp() / _STEP) * _STEP
        self._seed = seed
        self._limit = limit
        self._time = 0.0
        self._holds = 0
        self._former: tuple[Clock | None, tuple[Any, ...]] | None = None

    def __enter__(self) -> Self:
        """Have LTQ go by this clock."""
        self._former = follow(self), random.getstate()
        random.seed(self._seed)
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Have LTQ go by the clock before this one again."""
        if self._former is not None:
            follow(self._former[0])
            random.setstate(self._former[1])
            self._former = None

    def now(self) -> datetime:
        """What it shows, in UTC."""
        return datetime.fromtimestamp(self.wall_time(), UTC)

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """What *main* returns, run in an event loop of its own that this clock drives.

        A later `run` goes on at the time at which this one ended.

        Raises:
            TimeoutError: *main* took more than the limit.
            RuntimeError: The clock is not entered.
        """
        if virtual_clock() is not self:
            main.close()
            raise RuntimeError("Enter the clock first: with VirtualClock() as clock: …")
        self._holds = 0
        with asyncio.Runner(loop_factory=lambda: VirtualLoop(self)) as runner:
            return runner.run(self._bounded(main))

    def time(self) -> float:
        """Seconds since its start; also the event loop's ``time()``."""
        return self._time

    def wall_time(self) -> float:
        """Seconds since the Unix epoch."""
        return self._start + self._time

    def hold(self) -> None:
        """Stand still until `release` has been called as often."""
        self._holds += 1

    def release(self) -> None:
        """Take one `hold` back."""
        self._holds -= 1

    @property
    def held(self) -> bool:
        """Whether it stands still."""
        return self._holds > 0

    def jump(self, seconds: float) -> None:
        """Show *seconds* more, and at least a step."""
        self._time = max(math.ceil((self._time + seconds) / _STEP) * _STEP, self._time + _STEP)

    async def _bounded(self, main: Coroutine[Any, Any, T]) -> T:
        try:
            async with asyncio.timeout(self._limit.total_seconds()) as scope:
                return await main
        except TimeoutError as error:
            if not scope.expired():
                raise
            raise TimeoutError(
                f"This did not end within {self._limit} of virtual time. Either it waits for"
                " what never happens, or it needs a larger limit=."
            ) from error


class VirtualLoop(asyncio.SelectorEventLoop):
    """The event loop of a `VirtualClock`."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        super().__init__(_JumpingSelector(clock))
        # What is due within it is due now. asyncio's own nanosecond is less than a float
        # can tell after some months, and a timer would never be due.
        self._clock_resolution = _STEP / 8

    def time(self) -> float:
        """The clock's time."""
        return self.clock.time()

    def run_in_executor(  # type: ignore[override] # asyncio's own types differ by version
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Run *func* in a thread; the clock stands still meanwhile."""
        future = super().run_in_executor(executor, func, *args)
        self.clock.hold()
        future.add_done_callback(lambda _: self.clock.release())
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """End the executor's threads; the clock stands still meanwhile."""
        self.clock.hold()
        try:
            await super().shutdown_default_executor()
        finally:
            self.clock.release()


class _JumpingSelector(selectors.DefaultSelector):
    """Where an event loop waits for what comes first, an event or a timer."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        if self._clock.held:
            return super().select(None)
        ready = super().select(0)
        if not ready:
            self._clock.jump(timeout)
        return ready


def run_virtual(
    main: Coroutine[Any, Any, T],
    *,
    start: datetime = START,
    seed: int = 0,
    limit: timedelta = LIMIT,
) -> T:
    """What *main* returns, like ``asyncio.run``, but on a `VirtualClock` of its own.

    Raises:
        TimeoutError: *main* took more than *limit* of virtual time.
    """
    with VirtualClock(start, seed=seed, limit=limit) as clock:
        return clock.run(main)


@overload
def virtual_time(function: Callable[P, Coroutine[Any, Any, T]], /) -> Callable[P, T]: ...
@overload
def virtual_time(
    *, start: datetime = ..., seed: int = ..., limit: timedelta = ...
) -> Callable[[Callable[P, Coroutine[Any, Any, T]]], Callable[P, T]]: ...


def virtual_time(function: Any = None, /, **settings: Any) -> Any:
    """Make a coroutine function a plain one that runs on a `VirtualClock` of its own.

    For async tests: pytest needs nothing else to run them, and finds their fixtures. Use
    it with or without parentheses; the settings are those of `VirtualClock`.
    """
    if function is None:
        return functools.partial(virtual_time, **settings)

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        return run_virtual(function(*args, **kwargs), **settings)

    return run
