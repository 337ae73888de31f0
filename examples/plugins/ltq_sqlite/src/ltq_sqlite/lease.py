"""`Lease`: one broker object's lease, and the thread that renews it."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from ltq_core import LeaseKeeper, get_logger
from ltq_sqlite import store
from ltq_sqlite.database import connect, transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Hashable, Iterable

    from ltq_core import Delivery, Message
    from ltq_sqlite.bell import Bell
    from ltq_sqlite.settings import Settings

log = get_logger("sqlite")


class Lease:
    """Under which name a broker object claims, and what it holds.

    It knows nothing of the broker object: one that is dropped without `close` loses
    its lease like a worker that died.

    Attributes:
        worker: The name; None before the first claim, and after the lease was lost.
    """

    def __init__(self, settings: Settings, bell: Bell) -> None:
        self.worker: str | None = None
        self._settings = settings
        self._bell = bell
        self._held: dict[store.Receipt, Delivery] = {}
        self._keeper: LeaseKeeper | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()

    def join(self, db: sqlite3.Connection) -> str:
        """The name to claim under: a step of the writer's."""
        self.worker = store.join(db, self.worker, self._settings.lease)
        return self.worker

    def leave(self, db: sqlite3.Connection) -> None:
        """Give back all that is held: a step of the writer's."""
        worker, self.worker = self.worker, None
        if worker is not None:
            store.leave(db, worker)

    def keep(self) -> None:
        """Renew the lease from now on, for as long as the running loop lives."""
        with self._lock:
            if self._loop is None or self._loop.is_closed():
                self._stop()
                self._start()

    def hold(self, messages: Iterable[Message]) -> None:
        """Remember what was handed out, to mark it if the lease is lost."""
        for message in messages:
            if message.delivery is not None:
                self._held[message.delivery.receipt] = message.delivery

    def release(self, receipt: store.Receipt) -> None:
        """Forget what was settled."""
        self._held.pop(receipt, None)

    def drop(self, *, wait: bool = True) -> None:
        """Keep the lease no more."""
        with self._lock:
            self._stop(wait=wait)

    def _start(self) -> None:
        settings, self._loop = self._settings, asyncio.get_running_loop()
        pulse = _Pulse(self, settings, self._bell)
        self._keeper = LeaseKeeper(
            settings.lease / 3, pulse.beat, self._lose, stuck=settings.stuck, finish=pulse.close
        )
        self._keeper.start()

    def _stop(self, *, wait: bool = True) -> None:
        keeper, self._keeper, self._loop = self._keeper, None, None
        if keeper is not None:
            keeper.stop(wait=wait)

    def _lose(self, workers: list[Hashable]) -> None:
        if self.worker in workers:
            self.worker = None
        lost = [receipt for receipt in list(self._held) if receipt.worker in workers]
        for receipt in lost:
            if (delivery := self._held.pop(receipt, None)) is not None:
                delivery.lease_lost = True
        log.warning("This worker was silent for its lease: it lost %d messages.", len(lost))


class _Pulse:
    """What a keeper's thread does, with a connection of its own."""

    def __init__(self, lease: Lease, settings: Settings, bell: Bell) -> None:
        self._lease = lease
        self._settings = settings
        self._bell = bell
        self._db: sqlite3.Connection | None = None

    def beat(self) -> list[str]:
        """Renew the lease, and take over from the dead: nobody else tells of them."""
        begins = self._db is None
        if self._db is None:
            self._db = connect(self._settings.path)
        # The first beat comes with the first claim, which has just begun a lease. Never
        # take the lock for nothing: a process may be stopped while it has it.
        idle = begins or self._lease.worker is None
        if idle and not store.has_dead(self._db):
            return []
        with transaction(self._db):
            worker = self._lease.worker  # under the file's lock: a claim may have set it
            lost = worker and not store.renew(self._db, worker, self._settings.lease)
            freed = store.sweep(self._db, self._settings)
        if freed:
            self._bell.ring()
        return [worker] if worker and lost else []

    def close(self) -> None:
        """Close the connection, after the last beat."""
        if self._db is not None:
            self._db.close()
