"""The command line on a real Redis: what other processes see of a run and of its end."""

from __future__ import annotations

import asyncio

import pytest

from command_line import CommandLine, command_line, ltq
from ltq_core.broker import Broker
from ltq_core.message import Message

__all__ = ["command_line"]

TASKS = """
    import asyncio
    import time

    import ltq

    worker = ltq.Worker("tasks")

    @worker.task
    async def waiting() -> None:
        print("started")
        await asyncio.Event().wait()

    @worker.task
    async def blocking() -> None:
        print("started")
        while True:
            time.sleep(0.01)

    @worker.task
    async def quick() -> None:
        print("started")
"""


def publish(url: str, queue: str) -> Message:
    """Send a message to *queue*, as another process would."""
    message = Message(task_name=queue)

    async def send() -> None:
        broker = Broker.from_url(url)
        await broker.publish(message)
        await broker.close()

    asyncio.run(send())
    return message


@pytest.fixture
def tasks(command_line: CommandLine, redis_url: str) -> CommandLine:
    command_line.write("tasks", TASKS)
    command_line.env["LTQ_BROKER_URL"] = redis_url
    return command_line


def test_size_and_clear_see_what_a_producer_sent(tasks: CommandLine, redis_url: str) -> None:
    publish(redis_url, "tasks:quick")
    publish(redis_url, "tasks:quick")

    assert tasks.run("size", "tasks:quick").out == "tasks:quick: 2\n"
    assert tasks.run("clear", "tasks:quick").code == 0
    assert tasks.run("size", "tasks:quick").out == "tasks:quick: 0\n"


def test_worker_that_ends_has_settled_what_it_ran(tasks: CommandLine, redis_url: str) -> None:
    publish(redis_url, "tasks:quick")
    running = tasks.start("run", "tasks:worker")
    running.until("started")

    assert running.stopped() == 0
    assert ltq("size", "tasks:quick", "--broker-url", redis_url).out == "tasks:quick: 0\n"


@pytest.mark.parametrize("kind", ["waiting", "blocking"])
def test_message_that_outlasts_the_grace_time_is_back_when_the_worker_has_ended(
    tasks: CommandLine, redis_url: str, kind: str
) -> None:
    publish(redis_url, f"tasks:{kind}")
    running = tasks.start("run", "tasks:worker", "--shutdown-timeout", "0.2")
    running.until("started")

    assert running.stopped() == 0
    assert ltq("size", f"tasks:{kind}", "--broker-url", redis_url).out.endswith(": 1\n")
    ltq("clear", f"tasks:{kind}", "--broker-url", redis_url)
