"""Declaring tasks, starting and stopping a worker."""

from __future__ import annotations

import asyncio
import functools
import logging
from datetime import date
from typing import Any

import pytest

from ltq_core.errors import (
    BrokerError,
    BrokerUnavailableError,
    ConfigurationError,
    DuplicateWorkerError,
    OptionValueError,
    UnknownOptionError,
    UnknownSchemeError,
)
from ltq_core.middleware import Middleware
from ltq_core.worker import Worker
from ltq_memory.broker import MemoryBroker
from working import make_worker, memory_url, running, until


class Tag(Middleware):
    """Does nothing."""

    def __call__(self, message, task):
        raise NotImplementedError


def test_task_is_named_after_its_worker_and_its_function():
    worker = make_worker()

    @worker.task
    async def plain() -> None: ...

    @worker.task()
    async def called() -> None: ...

    assert list(worker.tasks) == [
        f"test:{plain.function.__qualname__}",
        f"test:{called.function.__qualname__}",
    ]


async def greet(greeting: str, day: date, *, loud: bool = False) -> None:
    greeted.append((greeting, day, loud))


greeted: list[tuple[str, date, bool]] = []


def test_partial_is_a_task_with_the_name_and_the_annotations_of_what_it_calls():
    worker = make_worker()
    greeting = worker.task(functools.partial(functools.partial(greet, "hello"), loud=True))
    greeted.clear()

    async def run() -> None:
        async with running(worker):
            await greeting.send(date(2030, 1, 1))
            await until(lambda: greeted, "the run")

    asyncio.run(run())

    assert greeting.name == "test:greet"
    assert greeted == [("hello", date(2030, 1, 1), True)]


def test_name_that_a_partial_was_given_stands():
    named: Any = functools.partial(greet, "hello")
    named.__qualname__ = "hello"

    assert make_worker().task(named).name == "test:hello"


class Greeter:
    def __call__(self) -> None: ...


@pytest.mark.parametrize("function", [Greeter(), functools.partial(Greeter())])
def test_task_without_a_name_is_refused_in_one_sentence(function: Any):
    worker = make_worker()

    with pytest.raises(ConfigurationError) as refused:
        worker.task(function)
    assert str(refused.value) == (
        "A task takes its name from its function, and an object of Greeter has none: "
        "wrap it in a function with 'def'."
    )


def test_default_stack_is_fresh_for_each_worker():
    first, second = make_worker(), make_worker()

    names = [type(one).__name__ for one in first.middlewares]
    assert names[:2] == ["MaxTries", "MaxAge"]
    assert "MaxRate" in names
    assert not {id(one) for one in first.middlewares} & {id(one) for one in second.middlewares}


def test_given_list_of_middleware_is_copied():
    given: list[Middleware] = [Tag()]
    worker = make_worker(middlewares=given)
    worker.register_middleware(Tag())

    assert len(given) == 1


@pytest.mark.parametrize(("pos", "place"), [(-1, 2), (0, 0), (1, 1)])
def test_middleware_is_registered_at_its_place(pos: int, place: int):
    worker = make_worker(middlewares=[Tag(), Tag()])
    added = Tag()
    worker.register_middleware(added, pos)

    assert worker.middlewares.index(added) == place


def test_option_value_is_checked_when_the_task_is_declared():
    worker = make_worker()

    with pytest.raises(ValueError, match="max_rate of task 'test:.*' must look like"):
        worker.task(max_rate="10/day")(lambda: None)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"timeout": 0}, "timeout of task"),
        ({"max_crashes": 0}, "max_crashes of task"),
        ({"max_tries": 0}, "max_tries of task"),
        ({"max_tries": True}, "max_tries of task"),
        ({"max_age": -1}, "max_age of task"),
        ({"max_concurrency": "5"}, "max_concurrency of task"),
        ({"backoff": 1}, "needs max_tries"),
        ({"retry_on": ValueError}, "needs max_tries"),
        ({"max_tries": 2, "give_up_on": "ValueError"}, "give_up_on of task"),
        ({"rate_key": "user"}, "needs max_rate"),
        ({"max_rate": "1/s", "rate_key": "nobody"}, "must name one of its parameters"),
        ({"max_concurrency": 1, "concurrency_key": "nobody"}, "must name one of"),
    ],
)
def test_bad_option_is_an_error_at_declaration(options: dict[str, object], text: str):
    worker = make_worker()

    async def task(user: str) -> None: ...

    with pytest.raises(OptionValueError, match=text):
        worker.task(**options)(task)


async def started(worker: Worker) -> None:
    await asyncio.wait_for(worker.run(), 10)


def test_unknown_option_is_an_error_at_start_that_suggests_the_nearest():
    worker = make_worker()

    @worker.task(max_trys=3)
    async def task() -> None: ...

    with pytest.raises(UnknownOptionError, match=r"'max_trys'\. Did you mean 'max_tries'\?"):
        asyncio.run(started(worker))


def test_process_that_only_sends_warns_once_of_an_unknown_option(
    caplog: pytest.LogCaptureFixture,
):
    worker = make_worker()

    @worker.task(max_trys=3)
    async def task() -> None: ...

    async def send() -> None:
        await task.send()
        await task.send()
        await worker.broker.close()

    asyncio.run(send())

    assert caplog.text.count("max_trys") == 1


def test_option_without_its_middleware_is_a_warning_at_start(
    caplog: pytest.LogCaptureFixture,
):
    worker = make_worker(middlewares=[])

    @worker.task(max_tries=3)
    async def task() -> None: ...

    async def run() -> None:
        worker.stop()
        await started(worker)

    asyncio.run(run())

    assert "max_tries of task" in caplog.text


def test_option_of_a_middleware_registered_later_is_known():
    class Late(Tag):
        options = {"colour": str}

    worker = make_worker()

    @worker.task(colour="red")
    async def task() -> None: ...

    worker.register_middleware(Late())

    async def run() -> None:
        worker.stop()
        await started(worker)

    asyncio.run(run())


def test_unknown_scheme_is_an_error_at_first_use():
    worker = Worker("test", broker_url="nats://localhost")

    with pytest.raises(UnknownSchemeError, match="ltq-nats"):
        _ = worker.broker


@pytest.mark.parametrize("name", ["", "a:b", "a{b}", "a\nb"])
def test_worker_name_that_would_break_a_key_is_refused(name: str):
    with pytest.raises(ConfigurationError):
        Worker(name)


def test_second_task_of_one_name_is_an_error():
    worker = make_worker()

    async def task() -> None: ...

    worker.task(task)
    with pytest.raises(DuplicateWorkerError):
        worker.task(task)


def test_worker_without_tasks_is_an_error():
    with pytest.raises(ConfigurationError, match="has no task"):
        asyncio.run(started(make_worker()))


def test_worker_runs_again_after_it_was_stopped():
    worker = make_worker()
    runs: list[int] = []

    @worker.task
    async def note(number: int) -> None:
        runs.append(number)

    async def run() -> None:
        for number in (1, 2):
            async with running(worker):
                await note.send(number)
                await until(lambda number=number: number in runs, "the run")

    asyncio.run(run())

    assert runs == [1, 2]


def test_stop_before_run_makes_it_return_at_once():
    worker = make_worker()
    worker.task(lambda: None)

    async def run() -> None:
        worker.stop()
        await started(worker)

    asyncio.run(run())


def test_two_runs_of_one_worker_at_once_are_refused():
    worker = make_worker()
    worker.task(lambda: None)

    async def run() -> None:
        async with running(worker):
            await until(lambda: worker._stop is not None, "the start")
            with pytest.raises(RuntimeError, match="running already"):
                await worker.run()

    asyncio.run(run())


def run_one_message(worker: Worker) -> None:
    """Send one message to *worker*, and let it work until that has run."""
    runs: list[int] = []

    @worker.task
    async def note() -> None:
        runs.append(1)

    async def run() -> None:
        async with running(worker):
            await note.send()
            await until(lambda: runs, "the run")

    asyncio.run(run())


class Away(MemoryBroker):
    """Cannot be reached for a while."""

    failures = 3

    async def size(self, queue: str) -> int:
        if self.failures:
            self.failures -= 1
            raise BrokerUnavailableError("nobody answers")
        return await super().size(queue)


def test_broker_that_is_away_at_the_start_is_waited_for(caplog: pytest.LogCaptureFixture):
    worker = make_worker()
    worker.broker = Away(memory_url())

    with caplog.at_level(logging.WARNING):
        run_one_message(worker)

    assert caplog.text.count("Waiting for the broker") == Away.failures


def spoiled() -> None: ...


class Refusing(MemoryBroker):
    """Refuses to look into some queues, though it can be reached."""

    refused = ("test:spoiled",)

    async def size(self, queue: str) -> int:
        if queue in self.refused:
            raise BrokerError(f"{queue} is spoiled")
        return await super().size(queue)


def test_queue_that_cannot_be_looked_into_keeps_no_worker_from_its_start():
    worker = make_worker()
    worker.broker = Refusing(memory_url())
    worker.task(spoiled)

    run_one_message(worker)


def test_broker_that_refuses_every_queue_ends_the_start():
    worker = make_worker()
    worker.broker = Refusing(memory_url())
    worker.task(spoiled)

    with pytest.raises(BrokerError, match="spoiled"):
        asyncio.run(worker.run())


def test_connect_timeout_gives_up():
    worker = make_worker()
    worker.broker = Away(memory_url())
    worker.broker.failures = 1000
    worker.task(lambda: None)

    with pytest.raises(BrokerUnavailableError):
        asyncio.run(worker.run(connect_timeout=0.1))


def test_default_url_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LTQ_BROKER_URL", "memory://from-the-environment")

    assert Worker("test").broker_url == "memory://from-the-environment"
    monkeypatch.delenv("LTQ_BROKER_URL")
    assert Worker("test").broker_url == "redis://localhost:6379"
