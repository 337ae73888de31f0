"""A memory broker whose store and session may be others: for what is wrong inside them."""

from __future__ import annotations

from typing import ClassVar

from ltq_memory.broker import MemoryBroker
from ltq_memory.session import Session
from ltq_memory.store import Store

_stores: dict[tuple[type, str], Store] = {}


class OwnParts(MemoryBroker):
    """A subclass may name a store and a session of its own."""

    Store: ClassVar[type[Store]] = Store
    Session: ClassVar[type[Session]] = Session

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.store = _stores.setdefault((type(self), url), self.Store())
        self._session = self.Session(self.store, self.settings)
