"""Which messages a claim leases, and how long to wait when there are none."""

from __future__ import annotations

import random
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from ltq_core import (
    DecodeError,
    Delivery,
    Message,
    describe,
    get_logger,
    printable,
    undecodable,
)
from ltq_sqlite.letters import bury, row_of
from ltq_sqlite.store import Receipt
from ltq_sqlite.writer import data_version

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

log = get_logger("sqlite")

SUSPECT = 2
"""Crashes from which on a message may be what kills its workers: it goes out alone."""

POLL = 0.25
"""Seconds between two looks for what other processes did."""

LONGEST = 5.0
"""Seconds after which a waiting claim is repeated in any case: clocks may be set."""


class Found(NamedTuple):
    """What a claim brought.

    Attributes:
        messages: What was due, leased.
        pause: Seconds after which to claim again, if nothing happens before.
        version: What `Writer.version` was meanwhile.
    """

    messages: list[Message]
    pause: float
    version: int


class _Row(NamedTuple):
    due: float
    place: int
    queue: str
    body: bytes
    crashes: int
    claims: int


class Claim:
    """One look of one worker at its queues, inside a transaction.

    A suspect goes to a worker that holds nothing, which gets nothing beside it. Where
    all are busy, one of them takes nothing more until it holds nothing.
    """

    def __init__(self, db: sqlite3.Connection, worker: str, queues: Sequence[str]) -> None:
        self._db = db
        self._worker = worker
        self._queues = random.sample(queues, len(queues))  # so that none is always first
        self._now = time.time()
        self._held_up = False

    def find(self, limit: int) -> Found:
        """Lease up to *limit* messages."""
        rows = self._choose(limit)
        self._db.executemany(
            "UPDATE message SET worker = ?, claims = claims + 1 WHERE place = ?",
            [(self._worker, row.place) for row in rows],
        )
        messages = [message for row in rows if (message := self._read(row)) is not None]
        pause = 0.0 if rows else POLL if self._held_up else self._until_due()
        return Found(messages, pause, data_version(self._db))

    def _choose(self, limit: int) -> list[_Row]:
        held = "SELECT max(crashes) FROM message WHERE worker = ?"
        most: int | None = self._db.execute(held, [self._worker]).fetchone()[0]
        suspects = self._in_turn(1, suspect=True)
        if suspects and most is None:
            return suspects
        alone = most is not None and most >= SUSPECT
        self._held_up = alone or bool(suspects)
        if alone or (suspects and self._makes_room(suspects[0].place)):
            return []
        return self._in_turn(limit)

    def _in_turn(self, limit: int, *, suspect: bool = False) -> list[_Row]:
        """Up to *limit* due messages, one of each queue in turn."""
        turns = deque(self._due(queue, suspect) for queue in self._queues)
        rows: list[_Row] = []
        while turns and len(rows) < limit:
            if (row := next(turns[0], None)) is None:
                turns.popleft()
            else:
                rows.append(row)
                turns.rotate(-1)
        return rows

    def _due(self, queue: str, suspect: bool) -> Iterator[_Row]:
        select = """
            SELECT due, place, queue, body, crashes, claims FROM message
            WHERE worker IS NULL AND queue = ? AND (crashes >= 2) = ? AND due <= ?
            ORDER BY due, place
        """
        return map(_Row._make, self._db.execute(select, [queue, suspect, self._now]))

    def _makes_room(self, suspect: int) -> bool:
        """Whether this is the worker that takes nothing more, for *suspect* to go out."""
        other = "SELECT 1 FROM worker WHERE drains_for = ? AND id <> ?"
        if self._db.execute(other, [suspect, self._worker]).fetchone():
            return False
        mark = "UPDATE worker SET drains_for = ? WHERE id = ? AND drains_for IS NOT ?"
        self._db.execute(mark, [suspect, self._worker, suspect])
        return True

    def _until_due(self) -> float:
        select = """
            SELECT min(due) FROM message
            WHERE worker IS NULL AND queue = ? AND (crashes >= 2) = ? AND due > ?
        """
        pause = LONGEST
        for queue in self._queues:
            for suspect in (False, True):
                due = self._db.execute(select, [queue, suspect, self._now]).fetchone()[0]
                pause = pause if due is None else min(pause, due - self._now)
        return pause

    def _read(self, row: _Row) -> Message | None:
        """The message of *row*; what is none becomes a dead letter."""
        receipt = Receipt(self._worker, row.place, row.claims + 1)
        try:
            message = Message.from_json(row.body)
        except DecodeError as error:
            log.warning("A dead letter in '%s': %s", printable(row.queue), describe(error))
            letter = undecodable(row.queue, row.body, error, self._now, self._worker)
            bury(self._db, receipt, row_of(letter))
            return None
        message.delivery = Delivery(receipt, row.due, self._now, row.crashes)
        return message
