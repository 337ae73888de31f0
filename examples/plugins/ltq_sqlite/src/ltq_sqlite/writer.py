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
        with self._lock:
            call = self._thread.submit(self._version)
        return await answer(call, self._path)

    async def close(self, farewell: Callable[[sqlite3.Connection], None]) -> None:
        """Close the connection, after all that was submitted and a last step.

        No step is taken if it is not open. The next call opens it again.
        """
        with self._lock:
            call = self._thread.submit(self._end, farewell)
        await answer(call, self._path)

    def drop(self) -> None:
        """Close the connection at once."""
        db, self._db = self._db, None
        if db is not None:
            db.close()

    def _flush(self) -> None:
        with self._lock:
            pending, self._pending = self._pending, []
        calls = [call for call in pending if call.future.set_running_or_notify_cancel()]
        if not calls:
            return
        try:
            with transaction(db := self._open()):
                results = [call.step(db) for call in calls]
        except BaseException as error:  # goes to whoever waits, like any future's
            for call in calls:
                call.future.set_exception(error)
            return
        for call, result in zip(calls, results, strict=True):
            call.future.set_result(result)
        if any(call.rings for call in calls):
            self._bell.ring()

    def _end(self, farewell: Callable[[sqlite3.Connection], None]) -> None:
        self._flush()  # what ends just now may have submitted more
        try:
            if self._db is not None:
                self._leave(self._db, farewell)
        finally:
            self._rest()

    def _leave(
        self, db: sqlite3.Connection, farewell: Callable[[sqlite3.Connection], None]
    ) -> None:
        try:
            with transaction(db):
                farewell(db)
        finally:
            self.drop()
        self._bell.ring()

    def _rest(self) -> None:
        # The thread ends when it has done all that it was given; the next call has another.
        with self._lock:
            if not self._pending:
                self._thread.shutdown(wait=False)
                self._thread = ThreadPoolExecutor(1, "ltq-sqlite")

    def _version(self) -> int:
        return -1 if self._db is None else data_version(self._db)

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
