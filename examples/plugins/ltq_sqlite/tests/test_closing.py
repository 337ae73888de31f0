"""Calls that are under way while their broker is closed."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from ltq_core import BrokerUnavailableError, Message
from ltq_sqlite.broker import SqliteBroker

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

QUEUE = "tasks:task"


def test_waiting_consume_ends_with_its_broker(tmp_path: Path) -> None:
    broker = SqliteBroker(f"sqlite://{tmp_path}/queue.db")

    async def close_while_waiting() -> None:
        waiting = asyncio.ensure_future(broker.consume(QUEUE))
        assert await broker.size(QUEUE) == 0  # the claim came first
        await broker.close()
        await asyncio.wait_for(waiting, 10)

    with pytest.raises(BrokerUnavailableError, match="closed meanwhile"):
        asyncio.run(close_while_waiting())


@pytest.mark.parametrize("cancels", [False, True])
def test_claim_under_way_at_close_leases_nothing(tmp_path: Path, cancels: bool) -> None:
    url = f"sqlite://{tmp_path}/queue.db"
    broker, other = SqliteBroker(url), SqliteBroker(url)
    started, go_on = threading.Event(), threading.Event()

    def slow(db: sqlite3.Connection) -> None:
        started.set()
        go_on.wait(10)

    async def close_while_claiming() -> tuple[int, int]:
        await broker.publish(Message(task_name=QUEUE))
        claiming = asyncio.ensure_future(broker.consume(QUEUE))
        broker._writer.submit(slow)
        await asyncio.sleep(0)  # the claim shares its transaction
        await asyncio.to_thread(started.wait, 10)
        if cancels:
            claiming.cancel()
        closing = asyncio.ensure_future(broker.close())
        go_on.set()
        await closing
        with suppress(asyncio.CancelledError, BrokerUnavailableError):
            await claiming
        stats = await other.stats(QUEUE)
        await other.close()
        return stats.waiting, stats.running

    assert asyncio.run(close_while_claiming()) == (1, 0)
    assert broker._writer._db is None
