"""Looks into queues, which change nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ltq_core import DecodeError, Message, QueueStats

if TYPE_CHECKING:
    import sqlite3


def queues(db: sqlite3.Connection) -> list[str]:
    """The queues that hold anything, sorted."""
    select = "SELECT queue FROM message UNION SELECT queue FROM letter ORDER BY queue"
    return [queue for (queue,) in db.execute(select)]


def stats(db: sqlite3.Connection, queue: str) -> QueueStats:
    """Figures of *queue*."""
    now = time.time()
    select = """
        SELECT count(*) FILTER (WHERE worker IS NULL),
               count(*) FILTER (WHERE worker IS NULL AND due <= :now),
               count(worker),
               (SELECT count(*) FROM letter WHERE queue = :queue),
               :now - min(due) FILTER (WHERE worker IS NULL AND due <= :now)
        FROM message WHERE queue = :queue
    """
    return QueueStats(*db.execute(select, {"now": now, "queue": queue}).fetchone())


def peek(db: sqlite3.Connection, queue: str, limit: int) -> list[Message]:
    """Up to *limit* waiting messages, the next due first, without what is none."""
    select = """
        SELECT body FROM message WHERE queue = ? AND worker IS NULL
        ORDER BY due, place LIMIT ?
    """
    bodies = [body for (body,) in db.execute(select, [queue, limit])]
    return [message for body in bodies if (message := _read(body)) is not None]


def _read(body: bytes) -> Message | None:
    try:
        return Message.from_json(body)
    except DecodeError:
        return None  # the next claim makes a dead letter of it
