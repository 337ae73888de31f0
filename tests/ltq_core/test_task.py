"""Building, sending and calling tasks."""

from __future__ import annotations

import asyncio
import functools
import os
import re
import subprocess
import sys
import threading
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from fake_site import SoundBroker
from ltq_core.errors import (
    BrokerUnavailableError,
    ConfigurationError,
    DuplicateMessageError,
    EncodeError,
)
from ltq_core.limits.max_rate import MaxRate
from ltq_core.middleware import Middleware
from ltq_core.task import Task, is_async
from working import make_worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ltq_core.message import Message
    from ltq_core.worker import Worker


@pytest.fixture
def worker() -> Worker:
    return make_worker()


async def stored(task: Task[..., Any]) -> list[Message]:
    """The messages that wait for *task*."""
    broker: Any = task._owner.broker
    return list(await broker.peek(task.name, 1000))


def stored_now(task: Task[..., Any]) -> list[Message]:
    return asyncio.run(stored(task))


async def greet(name: str, times: int = 1) -> str:
    """Say hello."""
    return f"hello {name}" * times


def test_async_task_is_called_directly(worker: Worker):
    task = worker.task(greet)

    assert asyncio.run(task("you", times=2)) == "hello youhello you"
    assert stored_now(task) == []


def test_plain_task_is_called_directly(worker: Worker):
    @worker.task
    def task() -> int:
        return threading.get_ident()

    async def main() -> int:
        return await task()

    assert asyncio.run(main()) == threading.get_ident()


def test_task_looks_like_its_function(worker: Worker):
    task = worker.task(greet)

    assert (task.__name__, task.__doc__) == ("greet", "Say hello.")
    assert repr(task) == "<Task test:greet>"


def test_attributes_of_the_function_do_not_stand_before_those_of_the_task(worker: Worker):
    def function() -> None: ...

    function.name = "other"
    function.options = {"max_tries": 9}
    task = worker.task(function)

    assert task.name.startswith("test:")
    assert dict(task.options) == {}


def test_options_are_parsed_and_read_only(worker: Worker):
    options: Any = worker.task(max_age=timedelta(minutes=1), max_tries=3)(greet).options

    assert dict(options) == {"max_age": 60.0, "max_tries": 3}
    with pytest.raises(TypeError):
        options["max_tries"] = 4


def test_message_is_built_and_not_sent(worker: Worker):
    task = worker.task(greet)
    message = task.message("you", times=2)

    assert (message.args, message.kwargs) == (("you",), {"times": 2})
    assert message.task_name == task.name == "test:greet"
    assert stored_now(task) == []


def test_sent_message_is_stored_under_the_id_that_is_returned(worker: Worker):
    task = worker.task(greet)
    sent = asyncio.run(task.send("you"))
    [message] = stored_now(task)

    assert (message.id, message.args) == (sent, ("you",))


@pytest.mark.parametrize(
    ("args", "kwargs"), [((), {}), (("you", 1, 2), {}), (("you",), {"colour": "red"})]
)
def test_arguments_that_do_not_fit_are_a_type_error(
    worker: Worker, args: tuple[Any, ...], kwargs: dict[str, Any]
):
    task: Any = worker.task(greet)

    with pytest.raises(TypeError):
        task.message(*args, **kwargs)
    with pytest.raises(TypeError):
        asyncio.run(task.send(*args, **kwargs))


def test_argument_that_would_not_arrive_is_not_sent(worker: Worker):
    task: Any = worker.task(greet)

    with pytest.raises(EncodeError, match="times"):
        asyncio.run(task.send("you", times=object()))
    assert stored_now(task) == []


def test_many_messages_are_sent_in_their_order(worker: Worker):
    task = worker.task(greet)
    messages = [task.message("you", number) for number in range(50)]
    ids = asyncio.run(task.send_many(iter(messages)))

    assert ids == [message.id for message in messages]
    assert stored_now(task) == messages


def test_message_of_another_task_is_refused_and_nothing_is_sent(worker: Worker):
    task, other = worker.task(greet), worker.task(lambda: None)

    with pytest.raises(ValueError, match=r"'test:greet' cannot send a message of"):
        asyncio.run(task.send_many([task.message("you"), other.message()]))
    assert stored_now(task) == []


def test_sending_no_messages_sends_none(worker: Worker):
    assert asyncio.run(worker.task(greet).send_many([])) == []


def test_task_is_sent_from_one_event_loop_after_another(worker: Worker):
    task = worker.task(greet)
    ids = [asyncio.run(task.send("you")) for _ in range(2)]

    assert [message.id for message in stored_now(task)] == ids


def test_task_is_sent_from_several_threads_at_once(worker: Worker):
    task = worker.task(greet)
    together = threading.Barrier(4)

    async def main() -> None:
        together.wait(10)
        await asyncio.gather(*(task.send("you") for _ in range(10)))

    threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(stored_now(task)) == 40


def test_synchronous_code_sends(worker: Worker):
    task = worker.task(greet)
    ids = [
        task.send_sync("you"),
        task.send_sync("you", times=2),
        task.with_options(delay=0).send_sync("you"),
    ]

    assert [message.id for message in stored_now(task)] == ids


def test_synchronous_sends_share_one_thread(worker: Worker):
    task = worker.task(greet)
    for _ in range(3):
        task.send_sync("you")

    assert [one.name for one in threading.enumerate()].count("ltq-send-sync") == 1


def test_synchronous_send_raises_what_the_broker_raises(worker: Worker):
    worker.broker = Away("")

    with pytest.raises(BrokerUnavailableError):
        worker.task(greet).send_sync("you")


def test_synchronous_send_inside_a_loop_says_what_to_do(worker: Worker):
    task = worker.task(greet)

    async def main() -> None:
        task.send_sync("you")

    with pytest.raises(RuntimeError, match="use 'await send"):
        asyncio.run(main())
    assert stored_now(task) == []


FORKING = """
import asyncio, os
from ltq_core.worker import Worker

worker = Worker("w", "memory://")
task = worker.task(lambda: None)
task.send_sync()
child = os.fork()
if child == 0:
    task.send_sync()
    os._exit(asyncio.run(worker.broker.size(task.name)))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_synchronous_code_sends_after_a_fork():
    subprocess.run([sys.executable, "-c", FORKING], timeout=30, check=True)


@pytest.mark.parametrize("delay", [60, timedelta(minutes=1)])
def test_delayed_message_waits_and_is_not_due(worker: Worker, delay: Any):
    task = worker.task(greet)
    broker: Any = worker.broker

    async def main() -> Any:
        sender = task.with_options(delay=delay)
        await sender.send("you")
        await sender.send_many([task.message("you")])
        return await broker.stats(task.name)

    stats = asyncio.run(main())

    assert (stats.waiting, stats.due) == (2, 0)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"delay": -1}, "delay"),
        ({"delay": float("nan")}, "delay"),
        ({"delay": float("inf")}, "delay"),
        ({"delay": 10**400}, "from 0 to 1e.10 seconds"),
        ({"unique": "k", "unique_for": timedelta.max}, "unique_for"),
        ({"unique": ""}, "unique"),
        ({"unique": 7}, "unique"),
        ({"unique": "k", "unique_for": -1}, "unique_for"),
        ({"unique": "k", "on_duplicate": "replace"}, "on_duplicate"),
        ({"unique_for": 5}, "need a unique key"),
        ({"on_duplicate": "raise"}, "need a unique key"),
    ],
)
def test_setting_of_a_send_that_makes_no_sense_is_a_value_error(
    worker: Worker, settings: dict[str, Any], text: str
):
    with pytest.raises(ValueError, match=text):
        worker.task(greet).with_options(**settings)


@pytest.mark.parametrize("settings", [{"max_tries": 3}, {"delay": "5"}, {"priority": 1}])
def test_option_of_the_decorator_is_a_type_error_at_a_send(
    worker: Worker, settings: dict[str, Any]
):
    with pytest.raises(TypeError):
        worker.task(greet).with_options(**settings)


def test_second_message_of_a_unique_key_is_skipped(worker: Worker):
    task = worker.task(greet)
    sender = task.with_options(unique="k")

    async def main() -> tuple[str, str]:
        return await sender.send("one"), await sender.send("two")

    first, second = asyncio.run(main())

    assert first == second
    assert [message.args for message in stored_now(task)] == [("one",)]


def test_second_message_of_a_unique_key_raises_where_that_is_asked_for(worker: Worker):
    sender = worker.task(greet).with_options(unique="k", on_duplicate="raise")

    async def main() -> str:
        first = await sender.send("one")
        with pytest.raises(DuplicateMessageError) as caught:
            await sender.send("two")
        assert caught.value.existing_id == first
        return first

    assert asyncio.run(main())


def test_unique_key_is_let_go_when_its_message_ends(worker: Worker):
    task = worker.task(greet)

    async def main(hold: float) -> bool:
        sender = task.with_options(unique=f"k{hold}", unique_for=hold)
        first = await sender.send("one")
        await worker.broker.ack(await worker.broker.consume(task.name))
        return await sender.send("two") != first

    assert asyncio.run(main(0))
    asyncio.run(worker.broker.clear(task.name))
    assert not asyncio.run(main(60))


def test_unique_key_belongs_to_the_task(worker: Worker):
    task, other = worker.task(greet), worker.task(lambda: None)

    async def main() -> tuple[str, str]:
        one = await task.with_options(unique="k").send("you")
        return one, await other.with_options(unique="k").send()

    one, two = asyncio.run(main())

    assert one != two


def test_one_unique_key_cannot_be_held_by_many(worker: Worker):
    task = worker.task(greet)

    with pytest.raises(ValueError, match=r"use send\(\) for each"):
        asyncio.run(task.with_options(unique="k").send_many([task.message("you")]))


class Away(SoundBroker):
    """Answers nothing."""

    async def publish(self, message: Message, delay: float = 0) -> None:
        raise BrokerUnavailableError("nobody answers")


def test_unique_send_on_a_broker_without_keys_names_those_that_have_them(worker: Worker):
    worker.broker = SoundBroker("")

    with pytest.raises(ConfigurationError, match=r"which SoundBroker cannot .*memory"):
        asyncio.run(worker.task(greet).with_options(unique="k").send("you"))


class Stamp(Middleware):
    """Notes in ``ctx`` and in *log* that it was there."""

    def __init__(self, name: str, log: list[str], *, applies: bool = True) -> None:
        self.name = name
        self.log = log
        self._applies = applies

    def __call__(self, message: Message, task: Task[..., Any]) -> Any:
        raise NotImplementedError

    @asynccontextmanager
    async def sending(self, message: Message, task: Task[..., Any]) -> AsyncIterator[None]:
        self.log.append(f"{self.name} in")
        message.ctx["stamps"] = [*message.ctx.get("stamps", []), self.name]
        try:
            yield
        finally:
            self.log.append(f"{self.name} out")

    def applies(self, task: Task[..., Any]) -> bool:
        return self._applies


def stamped(*names: str, log: list[str] | None = None) -> Worker:
    notes = [] if log is None else log
    return make_worker(middlewares=[Stamp(name, notes) for name in names])


def test_middleware_wraps_a_send_the_first_outermost():
    log: list[str] = []
    task = stamped("first", "second", log=log).task(greet)
    asyncio.run(task.send("you"))
    [message] = stored_now(task)

    assert log == ["first in", "second in", "second out", "first out"]
    assert message.ctx["stamps"] == ["first", "second"]


def test_middleware_wraps_every_kind_of_send():
    task = stamped("only").task(greet)

    async def main() -> None:
        await task.send("you")
        await task.send_many([task.message("you"), task.message("you")])
        await task.with_options(delay=0.001).send("you")
        await task.with_options(unique="k").send("you")

    asyncio.run(main())
    task.send_sync("you")

    assert [one.ctx["stamps"] for one in stored_now(task)] == [["only"]] * 6


def test_middleware_sees_the_failure_of_a_send():
    log: list[str] = []
    worker = stamped("only", log=log)
    worker.broker = Away("")

    with pytest.raises(BrokerUnavailableError):
        asyncio.run(worker.task(greet).send("you"))
    assert log == ["only in", "only out"]


def test_middleware_that_does_not_apply_is_left_out_of_a_send():
    log: list[str] = []
    worker = make_worker(middlewares=[Stamp("absent", log, applies=False)])
    asyncio.run(worker.task(greet).send("you"))

    assert log == []


def test_keys_of_limits_travel_in_ctx():
    worker = make_worker(middlewares=[MaxRate()])
    task = worker.task(max_rate="1/s", rate_key="times")(greet)

    assert task.message("you", times=7).ctx["rate_key"] == "7"
    assert task.message("you").ctx["rate_key"] == "1"


class AsyncCall:
    async def __call__(self) -> None: ...


def plain() -> None: ...


@functools.wraps(greet)
def passes_on(*args: Any) -> Any:
    return greet(*args)


@functools.wraps(plain)
async def lifts() -> None: ...


@functools.wraps(lifts)
def passes_on_what_lifts() -> Any:
    return lifts()


@pytest.mark.parametrize(
    ("function", "answer"),
    [
        (greet, True),
        (functools.partial(greet, "you"), True),
        (AsyncCall(), True),
        (passes_on, True),
        (lifts, True),
        (passes_on_what_lifts, True),
        (plain, False),
        (functools.partial(plain), False),
        (functools.wraps(plain)(lambda: None), False),
        (print, False),
    ],
)
def test_function_is_async_if_it_or_what_it_wraps_is(function: Any, answer: bool):
    assert is_async(function) is answer


TYPED = """
from datetime import timedelta
import ltq
worker = ltq.Worker("w")

@worker.task
async def bare(name: str, count: int = 0) -> str: return name

@worker.task(max_tries=3)
def plain(name: str) -> int: return 1

async def right() -> None:
    text: str = await bare("x", count=2)
    number: int = await plain("x")
    sent: str = await bare.send("x", count=2)
    many: list[str] = await plain.send_many([plain.message("x")])
    other: str = plain.with_options(delay=timedelta(seconds=1), unique="k").send_sync("x")

async def wrong() -> None:
    await bare(1)
    await bare.send(1)
    await bare.send("x", colour=2)
    await bare.send()
    plain.message()
    plain.send_sync(1)
    await bare.with_options(delay=1).send(1)
    bare.with_options(max_tries=3)
    number: int = await bare("x")
"""


def test_wrong_argument_is_a_type_checker_error(tmp_path: Path):
    (tmp_path / "typed.py").write_text(TYPED)
    mypy = [sys.executable, "-m", "mypy", "--strict", "--cache-dir=cache", "typed.py"]
    done = subprocess.run(
        mypy, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False
    )

    lines = TYPED.splitlines()
    wrong = range(lines.index("async def wrong() -> None:") + 2, len(lines) + 1)
    found = [int(line) for line in re.findall(r"typed\.py:(\d+): error", done.stdout)]
    assert found == list(wrong), done.stdout + done.stderr
