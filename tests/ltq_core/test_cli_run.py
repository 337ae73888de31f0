"""``ltq run``: real processes, from what they run to how they exit."""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import dedent

import pytest

from command_line import CommandLine, command_line
from fake_site import FakeSite

__all__ = ["command_line"]

SUPPORT = Path(__file__).parents[1] / "support"

JOBS = """
    import ltq

    worker = ltq.Worker("jobs", broker_url="memory://")

    @worker.task
    async def greet(name: str) -> None:
        print("hello", name)

    greet.send_sync("world")
    app = ltq.App()
    app.register_worker(worker)
    scheduler = ltq.Scheduler("memory://")
    scheduler.cron("* * * * * *", greet.message("again"))
"""

AWAY = """
    from fake_site import SoundBroker
    from ltq_core import BrokerUnavailableError, hookimpl

    class AwayBroker(SoundBroker):
        async def size(self, queue):
            raise BrokerUnavailableError("Nobody answers at away://.")

    @hookimpl
    def ltq_register_brokers():
        return {"away": AwayBroker}
"""


OWN_LOGGING = "force=True, level='INFO', format='%(levelname)s and %(message)s'"

LEAVING = """
    import asyncio
    import ltq

    worker = ltq.Worker("jobs", broker_url="memory://")
    ended = asyncio.Event()

    async def leave() -> None:
        raise SystemExit(3)

    @worker.task
    async def lasts() -> None:
        await ended.wait()
        print("it lasted")

    @worker.task
    async def leaves() -> None:
        try:
            await asyncio.gather(leave())
        finally:
            asyncio.get_running_loop().call_later(0.1, ended.set)

    lasts.send_sync()
    leaves.send_sync()
    app = ltq.App()
    app.register_worker(worker)
"""

STOPPING = """
    import asyncio
    import ltq

    worker = ltq.Worker("jobs", broker_url="memory://")
    stopped = asyncio.Event()

    @worker.task
    async def lasts() -> None:
        await stopped.wait()
        print("it lasted")

    @worker.task
    async def stops() -> None:
        loop = asyncio.get_running_loop()
        loop.stop()
        loop.call_later(0.1, stopped.set)

    lasts.send_sync()
    stops.send_sync()
"""

FAULTY = """
    from contextlib import nullcontext
    import ltq

    class Faulty(ltq.Middleware):
        def __call__(self, message, task):
            return nullcontext()

        def applies(self, task):
            return task.options["colour"] == "red"

    worker = ltq.Worker("jobs", broker_url="memory://", middlewares=[Faulty()])

    @worker.task
    async def greet() -> None: ...
"""


@pytest.fixture
def jobs(command_line: CommandLine) -> CommandLine:
    command_line.write("jobs", JOBS)
    command_line.env["PYTHONPATH"] = os.pathsep.join([str(command_line.folder), str(SUPPORT)])
    return command_line


@pytest.fixture
def away(jobs: CommandLine) -> CommandLine:
    """With a broker that nobody ever reaches, at ``away://``."""
    FakeSite(jobs.folder).add("ltq-away", {"away": AWAY})
    return jobs


@pytest.mark.parametrize("args", [("jobs:worker",), ("--app", "jobs:app"), ("jobs:app",)])
def test_worker_or_app_in_the_current_directory_runs_messages(
    jobs: CommandLine, args: tuple[str, ...]
) -> None:
    del jobs.env["PYTHONPATH"]

    running = jobs.start("run", *args)
    running.until("hello world")

    assert running.stopped() == 0


@pytest.mark.parametrize("target", ["leaving:worker", "leaving:app"])
def test_system_exit_of_an_asyncio_task_of_a_run_ends_that_run_alone(
    jobs: CommandLine, target: str
) -> None:
    jobs.write("leaving", LEAVING)

    running = jobs.start("run", target)
    running.until("it lasted")

    assert running.stopped() == 0
    assert "jobs:leaves" in running.err
    assert "failed for good (failed): SystemExit: 3" in running.err
    assert "jobs:lasts" not in running.err.split("Middleware", 1)[1]


def test_task_that_stops_the_event_loop_does_not_stop_the_worker(jobs: CommandLine) -> None:
    jobs.write("stopping", STOPPING)

    running = jobs.start("run", "stopping:worker")
    running.until("it lasted")

    assert running.stopped() == 0
    assert "Event loop stopped before Future completed" in running.err
    assert "jobs:lasts" not in running.err.split("Middleware", 1)[1]


def test_scheduler_beside_a_worker_feeds_it(jobs: CommandLine) -> None:
    running = jobs.start("run", "jobs:worker", "--scheduler", "jobs:scheduler")
    running.until("hello again")

    assert running.stopped() == 0


def test_scheduler_runs_by_itself(jobs: CommandLine) -> None:
    running = jobs.start("run", "jobs:scheduler")
    running.until("Scheduling 1 job\n")

    assert running.stopped() == 0


def test_only_tasks_write_to_stdout(jobs: CommandLine) -> None:
    running = jobs.start("run", "jobs:worker")
    running.until("hello world")
    running.stopped()

    assert running.out == "hello world\n"


def test_log_level_leaves_out_what_is_below_it(jobs: CommandLine) -> None:
    running = jobs.start("run", "jobs:worker", "--log-level", "warning")
    running.until("hello world")
    running.stopped()

    assert "INFO" not in running.err


def test_module_that_configures_logging_has_the_last_word(jobs: CommandLine) -> None:
    jobs.write("own", f"import logging\n\nlogging.basicConfig({OWN_LOGGING})\n{dedent(JOBS)}")

    running = jobs.start("run", "own:worker")
    running.until("hello world")
    running.stopped()

    assert "INFO and SIGTERM: finishing what runs" in running.err


@pytest.mark.parametrize(
    "args",
    [
        ("--broker-url", "memory://other", "run", "jobs:worker"),
        ("run", "jobs:worker", "--broker-url", "memory://other"),
        ("run", "jobs:worker", "--redis-url", "memory://other"),
    ],
)
def test_broker_url_stands_in_for_the_declared_one(
    jobs: CommandLine, args: tuple[str, ...]
) -> None:
    running = jobs.start(*args)
    running.until("hello world")
    running.stopped()

    assert "Broker      memory://other\n" in running.err


def test_concurrency_stands_in_for_the_declared_one(jobs: CommandLine) -> None:
    running = jobs.start("run", "--app", "jobs:app", "--concurrency", "7")
    running.until("hello world")
    running.stopped()

    assert "jobs, concurrency 7\n" in running.err


def test_concurrency_without_a_worker_is_a_mistake(jobs: CommandLine) -> None:
    ended = jobs.run("run", "jobs:scheduler", "--concurrency", "7")

    assert ended.code == 2
    assert (
        ended.err == "Error: --concurrency limits a worker, and here is none. Leave it out.\n"
    )


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "soon"])
def test_timeout_that_is_no_finite_number_of_seconds_is_a_mistake(
    jobs: CommandLine, value: str
) -> None:
    ended = jobs.run("run", "jobs:worker", "--shutdown-timeout", value)

    assert ended.code == 2
    assert "'--shutdown-timeout'" in ended.err


def test_broker_that_is_away_is_waited_for(away: CommandLine) -> None:
    running = away.start("run", "jobs:worker", "--broker-url", "away://")
    running.until("Nobody answers at away://.")

    assert running.stopped() == 0


def test_wait_for_a_broker_that_is_away_says_how_long_it_is(away: CommandLine) -> None:
    ended = away.run(
        "run", "jobs:worker", "--broker-url", "away://", "--connect-timeout", "0.1"
    )

    assert "Waiting for the broker, asking again in 0.0" in ended.err
    assert " in 0.00 s" not in ended.err


def test_failure_of_an_app_is_told_once(away: CommandLine) -> None:
    away_at_once = ("--broker-url", "away://", "--connect-timeout", "0")
    ended = away.run("run", "--app", "jobs:app", *away_at_once)

    assert ended.code == 3
    assert ended.err.count("Nobody answers at away://.") == 1
    assert "Worker 'jobs' died: the app ends\n" in ended.err
    assert ended.err.endswith("\nError: Nobody answers at away://.\n")


def test_broker_that_stays_away_for_the_connect_timeout_ends_the_run(
    away: CommandLine,
) -> None:
    ended = away.run("run", "jobs:worker", "--broker-url", "away://", "--connect-timeout", "0")

    assert ended.code == 3
    assert ended.err.endswith("\nError: Nobody answers at away://.\n")


def test_worker_that_cannot_work_ends_its_app(command_line: CommandLine) -> None:
    command_line.write(
        "mixed",
        """
        import ltq

        good, empty = ltq.Worker("good", "memory://"), ltq.Worker("empty", "memory://")
        app = ltq.App()
        app.register_worker(good)
        app.register_worker(empty)

        @good.task
        async def work() -> None: ...
        """,
    )

    ended = command_line.run("run", "--app", "mixed:app")

    assert ended.code == 2
    assert ended.err.endswith("\nError: Worker 'empty' has no task to run.\n")


def test_failure_that_is_not_ltqs_keeps_its_traceback(jobs: CommandLine) -> None:
    jobs.write(
        "odd",
        """
        from jobs import worker

        async def run(**settings):
            return 1 / 0

        worker.run = run
        """,
    )

    ended = jobs.run("run", "odd:worker")

    assert ended.code == 1
    assert ended.err.endswith("\nZeroDivisionError: division by zero\n")


def test_broken_plugin_costs_one_warning_line(jobs: CommandLine) -> None:
    FakeSite(jobs.folder).add("ltq-bad", {"bad": "1 / 0"})

    running = jobs.start("run", "jobs:worker")
    running.until("hello world")
    running.stopped()

    warnings = [line for line in running.err.splitlines() if "WARNING" in line]
    assert len(warnings) == 1
    assert "Plugin 'bad' from ltq-bad 1.0 could not be loaded" in warnings[0]


def test_what_is_registered_with_atexit_runs(jobs: CommandLine) -> None:
    jobs.write(
        "leaving", "import atexit\nfrom jobs import worker\natexit.register(print, 'bye')"
    )

    running = jobs.start("run", "leaving:worker")
    running.until("hello world")
    running.stopped()

    assert running.out.endswith("bye\n")


def test_middleware_that_fails_before_the_first_message_ends_the_worker_in_one_line(
    jobs: CommandLine,
) -> None:
    jobs.write("faulty", FAULTY)
    ended = jobs.run("run", "faulty:worker")

    assert ended.code == 2
    assert "Traceback" not in ended.err
    assert ended.err.splitlines()[-1].startswith(
        "Error: Middleware 'faulty:Faulty' failed: its applies for task 'jobs:greet' raised "
        "KeyError: 'colour'. "
    )
