"""The steps that move messages, each inside a transaction."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from ltq_sqlite.settings import Settings

TICK_AGE = 400 * 86_400.0
"""Seconds for which a schedule's last tick is remembered: more than a year."""


class Receipt(NamedTuple):
    """What settles a message: who holds it, where it stands, and since which claim.

    A worker that lost its lease goes on under another name, so what it held under the
    old one matches nothing any more.
    """

    worker: str
    place: int
    claims: int


class Row(NamedTuple):
    """A message to be stored."""

    queue: str
    id: str
    body: bytes


def put(db: sqlite3.Connection, rows: Iterable[Row], delay: float = 0) -> None:
    """Store messages in their order; one that waits already stays as it is."""
    due = time.time() + max(delay, 0)
    db.executemany(
        "INSERT INTO message (queue, id, body, due) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(*row, due) for row in rows],
    )


def settle(db: sqlite3.Connection, receipts: Sequence[Receipt]) -> list[bool]:
    """Forget messages; for each, whether it was still held."""
    delete = "DELETE FROM message WHERE worker = ? AND place = ? AND claims = ?"
    return [db.execute(delete, receipt).rowcount == 1 for receipt in receipts]


def put_back(
    db: sqlite3.Connection,
    receipts: Iterable[Receipt],
    body: bytes | None = None,
    delay: float = 0,
) -> int:
    """Let messages wait again, without a delay at their old place.

    The same message may have been published anew meanwhile: it stays one.

    Returns:
        How many were still held.
    """
    update = """
        UPDATE OR REPLACE message
        SET worker = NULL, body = coalesce(:body, body), due = coalesce(:due, due)
        WHERE worker = :worker AND place = :place AND claims = :claims
    """
    due = time.time() + delay if delay > 0 else None
    values = [{"body": body, "due": due, **receipt._asdict()} for receipt in receipts]
    return db.executemany(update, values).rowcount


def size(db: sqlite3.Connection, queue: str) -> int:
    """How many messages wait in *queue*."""
    count = "SELECT count(*) FROM message WHERE queue = ? AND worker IS NULL"
    number: int = db.execute(count, [queue]).fetchone()[0]
    return number


def clear(db: sqlite3.Connection, queue: str) -> None:
    """Forget what waits in *queue*."""
    db.execute("DELETE FROM message WHERE queue = ? AND worker IS NULL", [queue])


def join(db: sqlite3.Connection, worker: str | None, lease: float) -> str:
    """The name under which to claim: *worker*, or a new one if that is gone."""
    now = time.time()
    known = "SELECT deadline FROM worker WHERE id = ?"
    row = db.execute(known, [worker]).fetchone()
    if worker is None or row is None:
        worker = uuid.uuid4().hex
        db.execute("INSERT INTO worker (id, deadline) VALUES (?, ?)", [worker, now + lease])
    elif row[0] < now:  # nobody noticed yet that its lease ended
        renew(db, worker, lease)
    return worker


def renew(db: sqlite3.Connection, worker: str, lease: float) -> bool:
    """Let the lease of *worker* begin anew; False if it is gone: nothing brings it back."""
    extend = "UPDATE worker SET deadline = ? WHERE id = ?"
    return db.execute(extend, [time.time() + lease, worker]).rowcount == 1


def has_dead(db: sqlite3.Connection) -> bool:
    """Whether some worker's lease has ended."""
    dead = "SELECT 1 FROM worker WHERE deadline < ?"
    return db.execute(dead, [time.time()]).fetchone() is not None


def leave(db: sqlite3.Connection, worker: str, crashes: int = 0) -> None:
    """Give back all that *worker* holds to its old place, and forget it."""
    db.execute(
        "UPDATE OR REPLACE message SET worker = NULL, crashes = crashes + ? WHERE worker = ?",
        [crashes, worker],
    )
    db.execute("DELETE FROM worker WHERE id = ?", [worker])


def sweep(db: sqlite3.Connection, settings: Settings) -> bool:
    """Give back what dead workers held, and forget what is too old.

    Returns:
        Whether anything was given back.
    """
    now = time.time()
    dead = db.execute("SELECT id FROM worker WHERE deadline < ?", [now]).fetchall()
    for (worker,) in dead:
        leave(db, worker, crashes=1)
    db.execute("DELETE FROM tick WHERE published_at < ?", [now - TICK_AGE])
    db.execute(
        "DELETE FROM holder WHERE until < ? AND place NOT IN (SELECT place FROM message)", [now]
    )
    db.execute("DELETE FROM letter WHERE buried_at < ?", [now - settings.dead_letter_age])
    surplus = """
        DELETE FROM letter WHERE queue = :queue AND number <= (
            SELECT number FROM letter WHERE queue = :queue
            ORDER BY number DESC LIMIT 1 OFFSET :most
        )
    """
    for (queue,) in db.execute("SELECT DISTINCT queue FROM letter").fetchall():
        db.execute(surplus, {"queue": queue, "most": settings.dead_letters})
    return bool(dead)
