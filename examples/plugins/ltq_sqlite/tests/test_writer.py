"""The thread that talks to the file, and what becomes of it when the file does not answer."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ltq_core import BrokerError, BrokerUnavailableError, DeadLetter, EncodeError, Message
from ltq_sqlite import database, letters, store
from ltq_sqlite.bell import Bell
from ltq_sqlite.broker import SqliteBroker
from ltq_sqlite.settings import Settings
from ltq_sqlite.writer import Writer

if TYPE_CHECKING:
    from concurrent.futures import Future

QUEUE = "tasks:task"


def message(name: str = "") -> Message:
    return Message((name,), task_name=QUEUE)


def test_steps_that_meet_share_a_transaction(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "queue.db", Bell())
    started, go_on = threading.Event(), threading.Event()

    def slow(db: sqlite3.Connection) -> None:
        started.set()
        go_on.wait(10)

    def changes(db: sqlite3.Connection) -> int:
        db.execute("INSERT INTO tick VALUES ('queue', hex(randomblob(8)), 1, 1)")
        return int(db.execute("SELECT count(*) FROM tick").fetchone()[0])

    first = writer.submit(slow)
    assert started.wait(10)
    others = [writer.submit(changes) for _ in range(3)]
    begun: list[str] = []
    assert writer._db is not None
    writer._db.set_trace_callback(begun.append)
    go_on.set()
    results = [other.result(10) for other in others]
    first.result(10)

    assert results == [1, 2, 3]
    assert [line for line in begun if line.startswith("BEGIN")] == ["BEGIN IMMEDIATE"]
    asyncio.run(writer.close(lambda db: None))


def test_step_that_was_cancelled_in_time_is_not_done(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "queue.db", Bell())
    started, go_on = threading.Event(), threading.Event()
    done: list[str] = []

    def slow(db: sqlite3.Connection) -> None:
        started.set()
        go_on.wait(10)

    writer.submit(slow)
    assert started.wait(10)
    call: Future[None] = writer.submit(lambda db: done.append("cancelled"))
    assert call.cancel()
    go_on.set()
    writer.submit(lambda db: done.append("after it")).result(10)
    asyncio.run(writer.close(lambda db: None))

    assert done == ["after it"]


def test_locked_file_is_unavailable_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.05)
    broker = SqliteBroker(f"sqlite://{tmp_path}/queue.db")

    async def publish_past_a_lock() -> int:
        await broker.publish(message())
        with closing(sqlite3.connect(tmp_path / "queue.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(BrokerUnavailableError, match="database is locked"):
                await broker.publish(message())
        await broker.publish(message())
        waiting = await broker.size(QUEUE)
        await broker.close()
        return waiting

    assert asyncio.run(publish_past_a_lock()) == 2


def test_folder_that_is_missing_is_waited_for(tmp_path: Path) -> None:
    broker = SqliteBroker(f"sqlite://{tmp_path}/later/queue.db")

    async def publish_twice() -> None:
        with pytest.raises(BrokerUnavailableError, match="unable to open database file"):
            await broker.publish(message())
        (tmp_path / "later").mkdir()
        await broker.publish(message())
        await broker.close()

    asyncio.run(publish_twice())


def test_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "queue.db").write_text("no database, but long enough to look like one" * 100)
    broker = SqliteBroker(f"sqlite://{tmp_path}/queue.db")

    with pytest.raises(BrokerError, match="file is not a database") as raised:
        asyncio.run(broker.publish(message()))
    assert not isinstance(raised.value, BrokerUnavailableError)


def test_message_that_is_too_large_is_refused(tmp_path: Path) -> None:
    broker = SqliteBroker(f"sqlite://{tmp_path}/queue.db?max_message_bytes=1024")

    with pytest.raises(EncodeError, match="more than the 1024 that max_message_bytes allows"):
        asyncio.run(broker.publish(message("x" * 1024)))


def test_messages_of_a_dropped_broker_come_back(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/queue.db?lease=0.3"

    async def consume_and_forget() -> None:
        broker = SqliteBroker(url)
        await broker.publish(message("a"))
        await broker.consume(QUEUE)

    async def consume() -> Message:
        broker = SqliteBroker(url)
        received = await asyncio.wait_for(broker.consume(QUEUE), 10)
        await broker.close()
        return received

    asyncio.run(consume_and_forget())
    gc.collect()

    assert asyncio.run(consume()).args == ("a",)


def test_letter_that_is_no_json_spoils_nothing_beside_it(tmp_path: Path) -> None:
    """Those who share its transaction have theirs done."""
    broker = SqliteBroker(f"sqlite://{tmp_path}/queue.db")

    async def bury_beside_a_publish() -> int:
        await broker.publish(message("dead"))
        dead = await broker.consume(QUEUE)
        dead.ctx["no json"] = object()
        sent = asyncio.ensure_future(broker.publish(message("sent")))
        with pytest.raises(EncodeError):
            await broker.bury(dead, DeadLetter(dead.id, QUEUE, "rejected", 1.0, dead))
        await sent
        size = await broker.size(QUEUE)
        await broker.close()
        return size

    assert asyncio.run(bury_beside_a_publish()) == 1


def test_letters_beyond_their_number_or_age_are_swept(tmp_path: Path) -> None:
    with closing(database.connect(tmp_path / "queue.db")) as db:
        for name in "abcde":
            store.put(db, [store.Row(QUEUE, name, b"{}")])
            worker = store.join(db, None, 30)
            db.execute("UPDATE message SET worker = ?", [worker])
            (place,) = db.execute("SELECT place FROM message").fetchone()
            letter = letters.row_of(DeadLetter(name, QUEUE, "failed", 1))
            letters.bury(db, store.Receipt(worker, place, 0), letter)
        db.execute("UPDATE letter SET buried_at = 1 WHERE id = 'd'")
        store.sweep(db, Settings(Path(), dead_letters=3, dead_letter_age=60))

        kept = [letter.id for letter in letters.letters(db, QUEUE, None, 10)]
    assert kept == ["e", "c", "b"]
