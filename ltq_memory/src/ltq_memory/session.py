"""One broker object's presence at its store."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from ltq_core import LeaseKeeper, get_logger

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from ltq_core import QueueLimits
    from ltq_memory.leases import Epoch, Lease
    from ltq_memory.settings import Settings
    from ltq_memory.store import Store

log = get_logger("memory")


class Session:
    """Keeps the leases of one broker object, and the limits that gate its claims.

    It knows nothing of the broker object: when that is dropped without `close`, its
    leases end like those of a worker that died.
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        self.settings = settings
        self.limits: dict[str, QueueLimits] = {}
        self.epoch: Epoch | None = None
        self.turn = 0
        self._store = store
        self._keeper: LeaseKeeper | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()

    def keep(self) -> None:
        """Renew the lease from now on, for as long as the running loop lives."""
        if self._loop is not None and not self._loop.is_closed():
            return
        with self._lock:
            self.drop()
            self._loop = asyncio.get_running_loop()
            lease, stuck = self.settings.lease, self.settings.stuck
            self._keeper = LeaseKeeper(lease / 3, self._beat, self._report, stuck=stuck)
            self._keeper.start()

    def drop(self, *, wait: bool = True) -> None:
        """Renew the lease no more; it ends by itself."""
        keeper, self._keeper, self._loop = self._keeper, None, None
        if keeper is not None:
            keeper.stop(wait=wait)

    def _beat(self) -> Sequence[Lease]:
        return self._store.renew(self)

    def _report(self, lost: list[Hashable]) -> None:
        log.warning(
            "This worker was not heard of for its lease of %g s: it lost %d messages, which "
            "are handed out again.",
            self.settings.lease,
            len(lost),
        )
