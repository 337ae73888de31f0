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
        self._db: sqlite3.Connection | None = None  # the keeper's thread alone uses it
        self._keeper: LeaseKeeper | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()

    def keep(self) -> None:
        """Renew the lease from now on, for as long as the running loop lives."""
        with self._lock:
            if self._loop is not None and not self._loop.is_closed():
                return
            self._stop()
            settings, self._loop = self._settings, asyncio.get_running_loop()
            self._keeper = LeaseKeeper(
                settings.lease / 3,
                self._beat,
                self._lose,
                stuck=settings.stuck,
                finish=self._close,
            )
            self._keeper.start()

    def join(self, db: sqlite3.Connection) -> str:
        """The name to claim under, inside a transaction of the writer's."""
        self.worker = store.join(db, self.worker, self._settings.lease)
        return self.worker

    def drop(self, *, wait: bool = True) -> None:
        """Renew the lease no more."""
        with self._lock:
            self._stop(wait=wait)

    def hold(self, messages: Iterable[Message]) -> None:
        """Remember what was handed out, to mark it if the lease is lost."""
        for message in messages:
            if message.delivery is not None:
                self._held[message.delivery.receipt] = message.delivery

    def release(self, receipt: store.Receipt) -> None:
        """Forget what was settled."""
        self._held.pop(receipt, None)

    def _stop(self, *, wait: bool = True) -> None:
        keeper, self._keeper, self._loop = self._keeper, None, None
        if keeper is not None:
            keeper.stop(wait=wait)

    def _beat(self) -> list[str]:
        """Renew, and take over from the dead: nobody else tells of them."""
        if self._db is None:
            self._db = connect(self._settings.path)
        # The first beat comes with the first claim, which has just done the same. A
        # process must not take the lock for nothing: it may be stopped while it has it.
        if store.is_quiet(self._db, self.worker, self._settings.lease):
            return []
        with transaction(self._db):
            worker = self.worker  # read under the file's lock: a claim may be changing it
            lost = worker is not None and not store.renew(
                self._db, worker, self._settings.lease
            )
            freed = store.sweep(self._db, self._settings)
        if freed:
            self._bell.ring()
        return [worker] if lost and worker is not None else []

    def _lose(self, workers: list[Hashable]) -> None:
        if self.worker in workers:
            self.worker = None
        lost = [receipt for receipt in list(self._held) if receipt.worker in workers]
        for receipt in lost:
            if (delivery := self._held.pop(receipt, None)) is not None:
                delivery.lease_lost = True
        log.warning("This worker was silent for its lease: it lost %d messages.", len(lost))

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None
