"""Dead letters: each step inside a transaction."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ltq_core import DeadLetter, revived
from ltq_sqlite.store import Receipt, Row, put, settle

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection


def row_of(letter: DeadLetter) -> Row:
    """*letter* as it is stored; to be made outside of a transaction, which others share.

    Raises:
        EncodeError: Its message is no JSON.
    """
    return Row(letter.queue, letter.id, letter.to_json())


def bury(db: sqlite3.Connection, receipt: Receipt, letter: Row) -> bool:
    """Keep *letter* in the stead of a message; whether that was still held."""
    [held] = settle(db, [receipt])
    if held:
        db.execute(
            "INSERT INTO letter (queue, id, body, buried_at) VALUES (?, ?, ?, ?)",
            (*letter, time.time()),
        )
    return held


def letters(
    db: sqlite3.Connection, queue: str, ids: Collection[str] | None, limit: int
) -> list[DeadLetter]:
    """Up to *limit* letters, the newest first; with *ids*, only those."""
    rows = db.execute(
        "SELECT id, body FROM letter WHERE queue = ? ORDER BY number DESC", [queue]
    )
    found: list[DeadLetter] = []
    for letter_id, body in rows:
        if len(found) >= limit:
            break
        if ids is None or letter_id in ids:
            found.append(DeadLetter.from_json(body))
    return found


def requeue(db: sqlite3.Connection, queue: str, ids: Collection[str]) -> int:
    """Let the messages of letters wait again; how many that were."""
    count = 0
    for letter in reversed(letters(db, queue, ids, len(ids))):
        if (message := revived(letter)) is not None:
            delete(db, queue, [letter.id])
            put(db, [Row(queue, message.id, message.to_json())])
            count += 1
    return count


def delete(db: sqlite3.Connection, queue: str, ids: Collection[str]) -> int:
    """Forget letters; how many there were."""
    forget = "DELETE FROM letter WHERE queue = ? AND id = ?"
    return db.executemany(forget, [(queue, letter_id) for letter_id in set(ids)]).rowcount
