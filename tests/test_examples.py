"""The examples do what they say, each started as its reader would start it."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING

import pytest

from command_line import PATIENCE, CommandLine
from ltq_core.testing import wait_until
from recorded_github import RecordedGitHub

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PYTHON = (sys.executable,)
QUICKSTART = "examples/quickstart.py"
# The quickstart, which takes the folder in its argument for Python's library.
QUICKSTART_WITH = """
import runpy, sys, sysconfig
sysconfig.get_path = {"stdlib": sys.argv[1]}.__getitem__
runpy.run_path("examples/quickstart.py", run_name="__main__")
"""


@pytest.fixture
def here() -> Iterator[CommandLine]:
    """The workspace's folder, for processes that need no server."""
    here = CommandLine(ROOT)
    yield here
    here.close()


@pytest.fixture
def with_redis(here: CommandLine, redis_url: str) -> CommandLine:
    """The workspace's folder, for processes that meet at the test's Redis."""
    here.env["LTQ_BROKER_URL"] = redis_url
    return here


def test_quickstart_shows_its_results_in_a_pipe(here: CommandLine) -> None:
    shown = here.run(QUICKSTART, command=PYTHON)

    assert (shown.code, shown.err) == (0, "")
    files, known = check_quickstart(shown.out)
    assert files > 400
    assert known > 10_000


@pytest.fixture
def small_library(tmp_path: Path) -> Path:
    """A few of the library's files, among them those that the quickstart lets fail."""
    library = Path(sysconfig.get_path("stdlib"))
    shutil.copytree(library / "asyncio", tmp_path / "asyncio")
    for name in ("heapq.py", "queue.py", "sched.py"):
        shutil.copy(library / name, tmp_path)
    return tmp_path


def test_quickstart_shows_its_results_below_bars_on_a_terminal(small_library: Path) -> None:
    shown = on_a_terminal("-c", QUICKSTART_WITH, str(small_library))

    assert "━━━" in shown
    files, known = check_quickstart(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown))
    assert files == len(list(small_library.rglob("*.py"))) + 1
    assert known > 500


def check_quickstart(shown: str) -> tuple[int, int]:
    """All files were read, three failed and were read again, one ended as a dead letter.

    Returns:
        How many files there were, and how many definitions in them.
    """
    (read, files), (noted, known) = re.findall(r"(\d+)/(\d+)", shown)[-2:]
    assert (read, noted) == (files, known)
    assert re.search(r"^asyncio +[\d,]+ +[\d,]+ +[\d,]+ +\d+%", shown, re.MULTILINE)
    assert re.search(r"✓ [\d,]+ messages in [\d.]+ s, [\d,]+ a second", shown)
    assert "OSError: heapq" in shown
    assert "↻ 3 runs failed and were tried again" in shown
    assert "✗ dead letter: broken, RejectError: broken is no Python" in shown
    assert "lease" not in shown
    return int(files), int(known)


def on_a_terminal(*args: str) -> str:
    """What Python shows on a terminal of its own, started with *args*."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, *args],
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        stdin=its,
        stdout=its,
        stderr=its,
    )
    os.close(its)
    overdue = Timer(PATIENCE, process.kill)
    overdue.start()
    shown = b""
    with suppress(OSError), open(ours, "rb", buffering=0) as terminal:  # noqa: PTH123 (a number)
        while piece := terminal.read(4096):  # ends with an OSError on Linux
            shown += piece
    overdue.cancel()
    assert process.wait(PATIENCE) == 0, shown.decode()
    return shown.decode()


def test_github_retries_what_fails_and_gives_up_what_is_not_there(
    with_redis: CommandLine,
) -> None:
    with RecordedGitHub() as github:
        with_redis.env["GITHUB_API"] = github.url
        sent = with_redis.run("examples/github.py", command=PYTHON)
        worker = with_redis.start("run", "examples.github:worker")
        worker.until("python/cpython: 70000 stars, A programming language")
        worker.until("redis/redis: 72000 stars")
        worker.until("pallets/click: 17000 stars")
        worker.until("dropped (rejected): there is no such repository")

    assert (sent.code, sent.out.count("sent as")) == (0, 4)
    assert worker.stopped() == 0
    assert "max_rate=10/s" in worker.err
    assert github.asked["/repos/python/cpython"] == 1
    assert github.asked["/repos/redis/redis"] == 2, "a server error is tried again"
    assert github.asked["/repos/pallets/click"] == 2, "so is what GitHub puts off"
    assert github.asked["/repos/pytest-dev/pluggy"] == 1, "what is not there is not"


def test_scheduled_tasks_alternate(with_redis: CommandLine) -> None:
    worker = with_redis.start(
        "run", "examples.scheduled:worker", "--scheduler", "examples.scheduled:scheduler"
    )
    worker.until("tick of")
    worker.until("tock of")

    assert worker.stopped() == 0
    seconds = [int(found) for found in re.findall(r"ti?o?ck of \S+ \d+:\d+:(\d+)", worker.err)]
    assert all((later - sooner) % 60 == 1 for sooner, later in pairwise(seconds))


def test_scheduled_script_sends_until_it_is_interrupted(
    here: CommandLine, redis_store: str
) -> None:
    here.env["LTQ_BROKER_URL"] = redis_store
    script = here.start("examples/scheduled.py", command=PYTHON)
    wait_until(
        lambda: here.run("size", "scheduled:tick").out not in ("", "scheduled:tick: 0\n"),
        PATIENCE,
        "a tick was sent",
    )

    script.signal(signal.SIGINT)
    assert (script.ended(), script.err) == (0, "")


def test_multithreading_keeps_the_event_loop_free(here: CommandLine) -> None:
    shown = here.run("examples/multithreading.py", command=PYTHON)

    assert (shown.code, shown.err) == (0, "")
    assert shown.out.count("12 keys in") == 3
    turns = [int(found) for found in re.findall(r"took (\d+) other turns", shown.out)]
    assert min(turns) >= 10


def test_app_runs_both_workers_and_reminds_later(with_redis: CommandLine) -> None:
    for _ in range(2):
        sent = with_redis.run("examples/app/main.py", command=PYTHON)
        assert (sent.code, sent.out, sent.err) == (0, "sent\n", "")
    app = with_redis.start("run", "--app", "examples.app.main:app")
    for address in ("ada@example.com", "grace@example.com"):
        app.until(f"to sales: {address} has signed up")
        app.until(f"come back, {address}")

    assert app.stopped() == 0, app.err
    assert app.err.count("come back") == 2, "a reminder that waits is not sent twice"
    assert "notifications:push took" in app.err
    assert "emails:remind took" in app.err
