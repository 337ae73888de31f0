"""Signals and other wake-ups of the main thread, as bytes that it reads."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import FrameType, TracebackType

_STOPPING = (signal.SIGTERM, signal.SIGINT)


class Wakeups:
    """Lets the main thread wait for a signal or for another thread's `wake`.

    From ``__enter__`` on, the first SIGTERM or SIGINT is only noted, and the second one
    ends the process at once with 128 + its number. Python writes a signal's number to
    the socket whichever thread the system chose to deliver it to.

    Attributes:
        received: The first signal's number; 0 before it.
    """

    def __init__(self) -> None:
        self.received = 0
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)

    def __enter__(self) -> Self:
        self.take()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_restore)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _restore()
        self._reader.close()
        self._writer.close()

    def take(self) -> None:
        """Take the signals, or take them back from what was imported since."""
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in _STOPPING:
            # Also where the parent had it ignored, as shells do for background jobs:
            # whoever sends the signal means it.
            signal.signal(number, self._note)

    def wait(self, timeout: float | None) -> bool:
        """Wait for the next wake-up; whether it came within *timeout* seconds."""
        self._reader.settimeout(None if timeout is None else max(0.0, timeout))
        try:
            return bool(self._reader.recv(1))
        except (TimeoutError, BlockingIOError):  # a timeout of 0 makes it non-blocking
            return False

    def wake(self) -> None:
        """Wake the main thread; from any thread."""
        try:
            self._writer.send(b"\0")
        except BlockingIOError:
            return  # full of wake-ups that are still to be read

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received:
            os._exit(128 + number)
        self.received = number


def _restore() -> None:
    # A forked child would send its own signals to its parent's socket.
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
