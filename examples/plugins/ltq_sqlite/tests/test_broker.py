"""LTQ's conformance kit on the SQLite broker."""

from __future__ import annotations

import uuid
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, ClassVar

import pytest

from ltq_core.testing import (
    BrokerConformance,
    DeadLettersConformance,
    InspectionConformance,
    OutageConformance,
    ProcessConformance,
    TicksConformance,
    UniquePublishConformance,
)
from ltq_sqlite import database
from ltq_sqlite.broker import SqliteBroker
from ltq_sqlite.database import connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection
    from pathlib import Path

    from ltq_core import Broker


class File:
    """A file for each test, and what the kit's hooks need to see of it."""

    lease: ClassVar[float | None] = 1.0
    path: Path

    @pytest.fixture
    def broker_url(self, tmp_path: Path) -> str:
        self.path = tmp_path / "queue.db"
        return f"sqlite://{self.path}?lease={self.lease}&dead_letters=200"

    @pytest.fixture
    def make_broker(self, broker_url: str) -> Callable[[], Awaitable[Broker]]:
        async def make() -> Broker:
            return SqliteBroker(broker_url)

        return make

    async def put_raw(self, broker: Broker, queue: str, data: bytes) -> None:
        """Store what may be no message, as another program might."""
        values = (queue, uuid.uuid4().hex, data)
        with closing(connect(self.path)) as db:
            db.execute("INSERT INTO message (queue, id, body, due) VALUES (?, ?, ?, 0)", values)

    async def leftovers(self) -> Collection[str]:
        """The rows that are left."""
        tables = ("message", "worker", "letter", "holder", "tick")
        with closing(connect(self.path)) as db:
            return [
                str(row) for table in tables for row in db.execute(f"SELECT * FROM {table}")
            ]


class TestBroker(File, BrokerConformance):
    """The contract."""


class TestProcesses(File, ProcessConformance):
    """Processes that share the file."""


class TestOutages(File, OutageConformance):
    """A file that another program keeps locked."""

    @pytest.fixture(autouse=True)
    def _impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(database, "PATIENCE", 0.2)

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        with closing(connect(self.path)) as db:
            db.execute("BEGIN EXCLUSIVE")
            yield


class TestDeadLetters(File, DeadLettersConformance):
    """What was given up."""

    most: ClassVar[int | None] = 200


class TestUniquePublish(File, UniquePublishConformance):
    """Keys that one message holds."""


class TestTicks(File, TicksConformance):
    """Each tick once."""


class TestInspection(File, InspectionConformance):
    """Looking without changing."""
