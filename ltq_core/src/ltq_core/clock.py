"""What time it is: the machine's time, or that of a test's virtual clock."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """A clock that may stand in for the machine's; see `follow`."""

    def time(self) -> float:
        """Seconds on a clock that nobody sets."""
        ...

    def wall_time(self) -> float:
        """Seconds since the Unix epoch."""
        ...

    def hold(self) -> None:
        """Stand still until `release` has been called as often."""
        ...

    def release(self) -> None:
        """Take one `hold` back."""
        ...


_virtual: Clock | None = None


def follow(clock: Clock | None) -> Clock | None:
    """Let *clock* tell the time to all of LTQ in this process; None: the machine's.

    In the whole process, since what a plain task sends travels through other threads
    and event loops than the test's own.

    Returns:
        The one that was followed before.
    """
    global _virtual
    former, _virtual = _virtual, clock
    return former


def virtual_clock() -> Clock | None:
    """The clock that is followed in place of the machine's."""
    return _virtual


def now() -> float:
    """Seconds since the Unix epoch (a wall clock, for stored times).

    A store inside the process that takes its times from here and from `uptime` keeps step
    with a test's virtual clock.
    """
    return time.time() if _virtual is None else _virtual.wall_time()


def uptime() -> float:
    """Seconds on a clock that nobody sets (for leases)."""
    return time.monotonic() if _virtual is None else _virtual.time()
