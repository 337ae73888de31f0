"""What a start imports: heavy libraries only where they are used."""

from __future__ import annotations

import sys

import pytest

from command_line import CommandLine, command_line

__all__ = ["command_line"]

CLIENTS = {"redis", "sentry_sdk"}
DRESS = {"rich", "rich_click"}
MACHINERY = {"asyncio", "logging", "msgspec", "packaging", "pluggy", "importlib.metadata"}

START = """
import atexit, sys
atexit.register(lambda: print("LOADED", *sys.modules, file=sys.stderr))
sys.argv[0] = "ltq"
from ltq_core.cli import main
sys.exit(main())
"""

COMMAND = (sys.executable, "-c", START)


def loaded(stderr: str) -> set[str]:
    """The modules that were loaded at the end, of a process that ran `START`."""
    return set(stderr.rpartition("LOADED")[2].split())


def heavy(stderr: str, libraries: set[str]) -> list[str]:
    """Which of *libraries* were loaded."""
    return sorted(loaded(stderr) & libraries)


@pytest.mark.parametrize("module", ["ltq", "ltq_core", "ltq_core.cli"])
def test_import_loads_nothing_heavy(command_line: CommandLine, module: str) -> None:
    show = f"import {module}, sys; print('LOADED', *sys.modules, file=sys.stderr)"

    ended = command_line.run("-c", show, command=(sys.executable,))

    assert heavy(ended.err, CLIENTS | DRESS | MACHINERY | {"click"}) == []


def test_version_loads_three_modules_of_ltqs_and_nothing_heavy(
    command_line: CommandLine,
) -> None:
    ended = command_line.run("--version", command=COMMAND)

    assert heavy(ended.err, CLIENTS | DRESS | MACHINERY | {"click"}) == []
    assert {name for name in loaded(ended.err) if name.startswith("ltq")} == {
        "ltq_core",
        "ltq_core.cli",
        "ltq_core.lazy",
    }


def test_help_loads_neither_clients_nor_what_runs_tasks(command_line: CommandLine) -> None:
    ended = command_line.run("--help", command=COMMAND)

    assert heavy(ended.err, CLIENTS | DRESS | {"asyncio", "msgspec"}) == []


def test_run_of_a_memory_worker_loads_no_client_and_no_dress(
    command_line: CommandLine,
) -> None:
    command_line.write(
        "jobs",
        """
        import ltq

        worker = ltq.Worker("jobs", broker_url="memory://")

        @worker.task(max_tries=3)
        async def greet() -> None:
            print("hello")

        greet.send_sync()
        """,
    )
    running = command_line.start("run", "jobs:worker", command=COMMAND)
    running.until("hello")
    running.stopped()

    assert heavy(running.err, CLIENTS | DRESS | {"croniter"}) == []
