"""The file: its tables, how it is opened, and what a transaction is."""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 5.0
"""Seconds to wait for another process's transaction; each takes milliseconds."""

SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS message (
    place   INTEGER PRIMARY KEY AUTOINCREMENT,  -- the order of arrival; never used twice
    queue   TEXT NOT NULL,
    id      TEXT NOT NULL,
    body    BLOB NOT NULL,                      -- its JSON
    due     REAL NOT NULL,                      -- seconds since the epoch
    crashes INTEGER NOT NULL DEFAULT 0,         -- leases that ended with their worker
    claims  INTEGER NOT NULL DEFAULT 0,         -- how often it was leased
    worker  TEXT                                -- who holds it; NULL while it waits
);
CREATE UNIQUE INDEX IF NOT EXISTS waits_once ON message (queue, id) WHERE worker IS NULL;
CREATE INDEX IF NOT EXISTS waiting ON message (queue, crashes >= 2, due, place)
    WHERE worker IS NULL;
CREATE INDEX IF NOT EXISTS held ON message (worker, crashes) WHERE worker IS NOT NULL;
CREATE TABLE IF NOT EXISTS worker (
    id         TEXT PRIMARY KEY,
    deadline   REAL NOT NULL,                   -- when its lease ends
    drains_for INTEGER                          -- the suspect that it makes room for
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS letter (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,
    queue     TEXT NOT NULL,
    id        TEXT NOT NULL,
    body      BLOB NOT NULL,
    buried_at REAL NOT NULL,
    UNIQUE (queue, id) ON CONFLICT REPLACE
);
CREATE INDEX IF NOT EXISTS letter_order ON letter (queue);
CREATE INDEX IF NOT EXISTS letter_age ON letter (buried_at);
CREATE TABLE IF NOT EXISTS holder (
    queue TEXT NOT NULL,
    key   TEXT NOT NULL,
    id    TEXT NOT NULL,
    place INTEGER NOT NULL,                     -- the message that holds the key
    until REAL NOT NULL,                        -- and how long it is held in any case
    PRIMARY KEY (queue, key) ON CONFLICT REPLACE
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tick (
    queue        TEXT NOT NULL,
    job          TEXT NOT NULL,
    tick         REAL NOT NULL,
    published_at REAL NOT NULL,
    PRIMARY KEY (queue, job)
) WITHOUT ROWID;
COMMIT;
"""


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, and make it and its tables if need be."""
    # One thread at a time uses a connection, but not always the one that opened it.
    db = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        _write_ahead(db)
        db.execute("PRAGMA synchronous = FULL")  # what was committed survives a power cut
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'tick'").fetchone():
            db.executescript(SCHEMA)
    except BaseException:
        db.close()
        raise
    return db


def _write_ahead(db: sqlite3.Connection) -> None:
    # Kept in the file from the first time on. Two connections that switch at one moment
    # are the one case in which SQLite does not wait by itself.
    end = time.monotonic() + PATIENCE
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.01)


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Do all of it or nothing, alone: the lock is taken at once, so none can deadlock."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a full disk, for one, has rolled back already
            db.execute("ROLLBACK")
        raise
