"""`Bell`: wakes this process's consumers of one file at once."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Bell:
    """Rung after a commit that may have made something claimable, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listening: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}

    @contextmanager
    def listen(self) -> Iterator[asyncio.Event]:
        """An event of the running loop, set by each ring until the context is left."""
        rung = asyncio.Event()
        with self._lock:
            self._listening[rung] = asyncio.get_running_loop()
        try:
            yield rung
        finally:
            with self._lock:
                del self._listening[rung]

    def ring(self) -> None:
        """Wake whoever listens."""
        with self._lock:
            listening = list(self._listening.items())
        for rung, loop in listening:
            with suppress(RuntimeError):  # a closed loop waits for nothing
                loop.call_soon_threadsafe(rung.set)


_bells: WeakValueDictionary[Path, Bell] = WeakValueDictionary()
_bells_lock = threading.Lock()


def bell_of(path: Path) -> Bell:
    """The bell of one file: the same for every broker object in this process."""
    with _bells_lock:
        return _bells.setdefault(path.resolve(), Bell())
