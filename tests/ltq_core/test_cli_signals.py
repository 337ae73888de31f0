"""``ltq run``: what SIGTERM and SIGINT do, whatever the tasks are doing."""

from __future__ import annotations

import signal
import sys

import pytest

from command_line import LTQ, CommandLine, command_line

__all__ = ["command_line"]

# One task of each kind that a signal may meet; KIND chooses the one that runs.
TASKS = """
    import asyncio
    import multiprocessing
    import os
    import signal
    import threading
    import time
    from pathlib import Path

    import ltq

    worker = ltq.Worker("tasks", broker_url="memory://")

    @worker.task
    async def patient() -> None:
        print("started")
        while not Path("go").exists():
            await asyncio.sleep(0.01)
        print("finished")

    @worker.task
    async def endless() -> None:
        print("started")
        await asyncio.Event().wait()

    @worker.task
    async def blocking() -> None:
        print("started")
        while True:
            pass

    @worker.task
    async def sleeping() -> None:
        print("started")
        time.sleep(1000)

    @worker.task
    def plain() -> None:
        print("started")
        time.sleep(1000)

    @worker.task
    async def elsewhere() -> None:
        print("started")
        await asyncio.to_thread(time.sleep, 1000)

    @worker.task
    async def leaving_a_thread() -> None:
        threading.Thread(target=time.sleep, args=(1000,)).start()
        print("started")

    def wait(writer):
        writer.send("ready")
        signal.pause()

    @worker.task
    def forking() -> None:
        reader, writer = multiprocessing.Pipe(duplex=False)
        child = multiprocessing.get_context("fork").Process(target=wait, args=(writer,))
        child.start()
        reader.recv()
        child.terminate()
        child.join()
        print("child ended with", child.exitcode)

    @worker.task
    async def exiting() -> None:
        print("started")
        raise SystemExit(5)

    app = ltq.App()
    app.register_worker(worker)
    globals()[os.environ["KIND"]].send_sync()
"""

BOTH = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])


@pytest.fixture
def tasks(command_line: CommandLine) -> CommandLine:
    command_line.write("tasks", TASKS)
    return command_line


@BOTH
def test_signal_lets_a_running_task_finish(tasks: CommandLine, number: signal.Signals) -> None:
    tasks.env["KIND"] = "patient"
    running = tasks.start("run", "tasks:worker")
    running.until("started")

    running.signal(number)
    running.until("Finishing 1 running task,")
    (tasks.folder / "go").touch()

    assert running.ended() == 0
    assert running.out.endswith("finished\n")


@BOTH
@pytest.mark.parametrize("kind", ["endless", "blocking", "sleeping", "plain"])
def test_second_signal_exits_at_once(
    tasks: CommandLine, kind: str, number: signal.Signals
) -> None:
    tasks.env["KIND"] = kind
    running = tasks.start("run", "tasks:worker")
    running.until("started")

    running.signal(number)
    running.until("the next signal exits at once")
    running.signal(number)

    assert running.ended() == 128 + number


@pytest.mark.parametrize("kind", ["endless", "plain", "elsewhere", "leaving_a_thread"])
def test_task_that_outlasts_the_grace_time_does_not_delay_the_exit(
    tasks: CommandLine, kind: str
) -> None:
    tasks.env["KIND"] = kind
    running = tasks.start("run", "tasks:worker", "--shutdown-timeout", "0.2")
    running.until("started")

    assert running.stopped() == 0
    assert "is blocked" not in running.err


@pytest.mark.parametrize("target", ["tasks:worker", "tasks:app"])
@pytest.mark.parametrize("kind", ["blocking", "sleeping"])
def test_blocked_event_loop_neither_keeps_its_messages_nor_delays_the_exit(
    tasks: CommandLine, kind: str, target: str
) -> None:
    tasks.env["KIND"] = kind
    running = tasks.start("run", target, "--shutdown-timeout", "0.2")
    running.until("started")

    assert running.stopped() == 0
    assert "An event loop is blocked: 1 messages were given back" in running.err


def test_signal_to_a_forked_child_is_the_childs_alone(tasks: CommandLine) -> None:
    tasks.env["KIND"] = "forking"
    running = tasks.start("run", "tasks:worker")
    running.until(f"child ended with -{signal.SIGTERM.value}")

    assert "SIGTERM" not in running.err
    assert running.stopped() == 0


def test_signal_during_the_import_ends_the_run_before_it_begins(tasks: CommandLine) -> None:
    tasks.env["KIND"] = "endless"
    tasks.write("slow", "print('importing')\ninput()\nfrom tasks import worker")
    running = tasks.start("run", "slow:worker")
    running.until("importing")

    running.signal(signal.SIGTERM)
    running.write("\n")

    assert running.ended() == 0
    assert "started" not in running.out


def test_signal_counts_although_a_module_took_it(tasks: CommandLine) -> None:
    tasks.env["KIND"] = "endless"
    ignore = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)"
    tasks.write("taking", f"{ignore}\nfrom tasks import worker")
    running = tasks.start("run", "taking:worker", "--shutdown-timeout", "0")
    running.until("started")

    assert running.stopped() == 0


def test_signal_counts_although_the_parent_had_it_ignored(tasks: CommandLine) -> None:
    tasks.env["KIND"] = "endless"
    ignoring = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN);"
    command = (sys.executable, "-c", f"{ignoring} os.execv({str(LTQ)!r}, sys.argv)")
    running = tasks.start("run", "tasks:worker", "--shutdown-timeout", "0.2", command=command)
    running.until("started")

    running.signal(signal.SIGINT)

    assert running.ended() == 0


def test_task_that_raises_system_exit_stops_nothing(tasks: CommandLine) -> None:
    tasks.env["KIND"] = "exiting"
    running = tasks.start("run", "tasks:worker")
    running.until("failed for good")

    assert running.stopped() == 0
