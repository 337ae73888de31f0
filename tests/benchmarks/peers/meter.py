"""Counts the runs inside the worker process, in the same way for every peer.

The tasks themselves count, so that no figure depends on what a library says about
itself. Two lines of JSON reach the harness: one when the first run begins, one
when the last has ended.
"""

import itertools
import json
import time
from pathlib import Path

from peers.settings import EXPECTED, GATE, REPORT

# next() on a C iterator is atomic, so that thread pools count right without a lock.
_begun = itertools.count()
_ended = itertools.count(1)
_delays: list[float] = []


def began() -> None:
    """Count the start of one run."""
    if next(_begun) == 0:
        if GATE:
            _wait_for(Path(GATE))
        _report(began=True)


def ran() -> None:
    """Count the end of one run."""
    if next(_ended) == EXPECTED:
        _report(ran=EXPECTED)


def started(sent_at: float) -> None:
    """Note how long a message took from the send to here."""
    _delays.append(time.time() - sent_at)
    if len(_delays) == EXPECTED:
        _report(delays=_delays)


def _wait_for(gate: Path) -> None:
    _report(waiting=True)
    while not gate.exists():
        time.sleep(0.001)


def _report(**facts: object) -> None:
    line = json.dumps({"at": time.time(), **facts})
    with Path(REPORT).open("a") as report:
        report.write(line + "\n")
