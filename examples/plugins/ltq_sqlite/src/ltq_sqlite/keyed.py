"""Messages that are published once: by a unique key, or by a schedule's tick."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ltq_sqlite.store import Row, put

if TYPE_CHECKING:
    import sqlite3


def put_unique(db: sqlite3.Connection, row: Row, key: str, hold: float, delay: float) -> str:
    """Store a message unless another holds *key*; the id of the one that holds it.

    A key is held for as long as its message has a row, whatever state that is in, so
    nothing that ends a message need think of keys.
    """
    now = time.time()
    holder = """
        SELECT id FROM holder WHERE queue = ? AND key = ?
        AND (until > ? OR place IN (SELECT place FROM message))
    """
    if held := db.execute(holder, [row.queue, key, now]).fetchone():
        return str(held[0])
    put(db, [row], delay)
    db.execute(
        """
        INSERT INTO holder (queue, key, id, place, until)
        SELECT queue, ?, id, place, ? FROM message
        WHERE queue = ? AND id = ? AND worker IS NULL
        """,
        [key, now + hold, row.queue, row.id],
    )
    return row.id


def put_tick(db: sqlite3.Connection, row: Row, job: str, tick: float) -> bool:
    """Store a message if *tick* is later than the last one of *job*; whether it was."""
    advance = """
        INSERT INTO tick (queue, job, tick, published_at) VALUES (?, ?, ?, ?)
        ON CONFLICT (queue, job) DO UPDATE
        SET tick = excluded.tick, published_at = excluded.published_at
        WHERE excluded.tick > tick
    """
    if db.execute(advance, [row.queue, job, tick, time.time()]).rowcount == 0:
        return False
    put(db, [row])
    return True


def last_tick(db: sqlite3.Connection, queue: str, job: str) -> float | None:
    """The last tick of *job*, or None."""
    select = "SELECT tick FROM tick WHERE queue = ? AND job = ?"
    row = db.execute(select, [queue, job]).fetchone()
    return None if row is None else row[0]
