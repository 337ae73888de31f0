"""`Writer`: the thread that talks to the file, and what shares a transaction."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from ltq_core import BrokerError, BrokerUnavailableError
from ltq_sqlite.database import connect, transaction

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ltq_sqlite.bell import Bell

T = TypeVar("T")


@dataclass(slots=True)
class _Call:
    step: Callable[[sqlite3.Connection], Any]
    rings: bool
    future: Future[Any] = field(default_factory=Future)


class Writer:
    """One connection, in a thread of its own: no event loop ever waits for the disk.

    Steps that come in while a transaction is under way share the next one: a commit
    costs far more than what is committed.

    Concurrency:
        Every method is safe from any thread and event loop.
    """

    def __init__(self, path: Path, bell: Bell) -> None:
        self._path = path
        self._bell = bell
        self._db: sqlite3.Connection | None = None
        self._pending: list[_Call] = []
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, "ltq-sqlite")

    def submit(
        self, step: Callable[[sqlite3.Connection], T], *, rings: bool = False
    ) -> Future[T]:
        """Start *step*, which is committed when the future has its result.

        A future that is cancelled before its transaction began cancels the step.

        Args:
            step: Reads and writes; it raises nothing but what SQLite does.
            rings: It may make something claimable: wake whoever waits.
        """
        call = _Call(step, rings)
        with self._lock:
            self._pending.append(call)
            if len(self._pending) == 1:
                self._thread.submit(self._flush)
        return call.future

    async def version(self) -> int:
        """A number that changes when another connection has committed something."""
        read = self._thread.submit(lambda: data_version(self._open()))
        return await answer(read, self._path)

    async def close(self) -> None:
        """Close the connection, when all that was submitted has ended."""
        await asyncio.wrap_future(self._thread.submit(self.drop))

    def drop(self) -> None:
        """Close the connection; the next call opens it again."""
        db, self._db = self._db, None
        if db is not None:
            db.close()

    def _flush(self) -> None:
        with self._lock:
            pending, self._pending = self._pending, []
        calls = [call for call in pending if call.future.set_running_or_notify_cancel()]
        try:
            results = self._commit(calls)
        except BaseException as error:  # goes to whoever waits, like any future's
            for call in calls:
                call.future.set_exception(error)
            return
        for call, result in zip(calls, results, strict=True):
            call.future.set_result(result)
        if any(call.rings for call in calls):
            self._bell.ring()

    def _commit(self, calls: list[_Call]) -> list[Any]:
        db = self._open()
        with transaction(db):
            return [call.step(db) for call in calls]

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = connect(self._path)
        return self._db


def data_version(db: sqlite3.Connection) -> int:
    """See `Writer.version`."""
    number: int = db.execute("PRAGMA data_version").fetchone()[0]
    return number


async def answer(call: Future[T], path: Path) -> T:
    """What *call* returns.

    Raises:
        BrokerUnavailableError: The file is locked, or cannot be opened or written.
        BrokerError: It is no database, or damaged.
    """
    try:
        return await asyncio.wrap_future(call)
    except sqlite3.OperationalError as error:
        raise BrokerUnavailableError(f"'{path}' does not answer: {error}.") from error
    except sqlite3.Error as error:
        raise BrokerError(f"'{path}' cannot be used: {error}.") from error
