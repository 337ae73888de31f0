"""`max_rate` where no broker enforces it: for this worker alone."""

from __future__ import annotations

import asyncio
import logging
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from ltq_core.abilities import QueueLimits, Rate
from ltq_core.errors import DeferError
from ltq_core.limits.max_rate import MaxRate, parse_max_rate
from ltq_core.message import Message
from ltq_core.testing import MiddlewareConformance, VirtualClock, run_virtual
from ltq_memory.broker import MemoryBroker
from working import make_worker, memory_url, running, until

if TYPE_CHECKING:
    from ltq_core.task import Task
    from ltq_core.worker import Worker


class TestContract(MiddlewareConformance):
    task_options: ClassVar[dict[str, Any]] = {"max_rate": "10/s"}
    refused_options: ClassVar[dict[str, Any]] = {
        "max_rate": [
            "10/day", "0/s", "-1/s", "10", "10/", "/s", "1.5/s", "10/s ", " 10/s", "10/S",
            "10/s;burst=0", "10/s;burst", "10/s;", "1\u0661/s", "9999999999/s", "10/s\n",
            10, 1.5, None, ("10/s",),
        ]
    }  # fmt: skip

    @pytest.fixture
    def make_middleware(self):
        return MaxRate


@pytest.mark.parametrize(
    ("text", "interval", "burst"),
    [
        ("10/s", 0.1, 1),
        ("100/m", 0.6, 1),
        ("1000/h", 3.6, 1),
        ("1/h", 3600.0, 1),
        ("200/s;burst=20", 0.005, 20),
    ],
)
def test_rate_is_parsed(text: str, interval: float, burst: int):
    assert parse_max_rate(text) == Rate(pytest.approx(interval), burst)


def make_task(max_rate: str, **options: Any) -> Task[..., Any]:
    def task(user: int = 0) -> None: ...

    return make_worker(middlewares=[MaxRate()]).task(max_rate=max_rate, **options)(task)


async def wait_of(middleware: MaxRate, task: Task[..., Any], message: Message) -> float:
    """Seconds that *message* is deferred by; 0 if it is run."""
    try:
        async with middleware(message, task):
            return 0.0
    except DeferError as error:
        return error.delay


def waits(number: int, max_rate: str, *, pause: float = 0, after: int = 0) -> list[float]:
    """The waits of *number* messages, with a *pause* after some of them."""
    middleware, task = MaxRate(), make_task(max_rate)

    async def main() -> list[float]:
        found = []
        for count in range(number):
            if count == after:
                await asyncio.sleep(pause)
            found.append(await wait_of(middleware, task, Message()))
        return found

    return run_virtual(main())


def test_slots_are_spaced_evenly():
    assert waits(4, "4/s") == [0, 0.25, 0.5, 0.75]


def test_burst_goes_at_once_and_what_follows_is_spaced():
    assert waits(6, "4/s;burst=3") == [0, 0, 0, 0.25, 0.5, 0.75]


def test_unused_slots_are_not_saved_up():
    assert waits(5, "4/s", pause=60, after=2) == [0, 0.25, 0, 0.25, 0.5]


def test_burst_is_whole_again_after_a_pause():
    assert waits(8, "4/s;burst=3", pause=60, after=4) == [0, 0, 0, 0.25, 0, 0, 0, 0.25]


def test_message_that_reserved_its_slot_is_run_when_it_comes_back():
    middleware, task = MaxRate(), make_task("4/s")

    async def main() -> list[float]:
        first, second = Message(), Message()
        found = [await wait_of(middleware, task, one) for one in (first, second)]
        return [*found, await wait_of(middleware, task, second)]

    assert run_virtual(main()) == [0, 0.25, 0]


def test_retry_of_a_message_that_was_run_needs_a_new_slot():
    middleware, task = MaxRate(), make_task("4/s")

    async def main() -> list[float]:
        message = Message()
        await wait_of(middleware, task, Message())
        return [await wait_of(middleware, task, message) for _ in range(3)]

    assert run_virtual(main()) == [0.25, 0, 0.5]


def test_each_key_has_slots_of_its_own():
    middleware, task = MaxRate(), make_task("4/s", rate_key="user")

    async def main() -> list[float]:
        keys = ("7", "8", "7", "8")
        return [await wait_of(middleware, task, Message(ctx={"rate_key": k})) for k in keys]

    assert run_virtual(main()) == [0, 0, 0.25, 0.25]


def test_keys_that_are_used_no_more_are_forgotten():
    middleware, task = MaxRate(), make_task("4/s", rate_key="user")

    async def main() -> None:
        for number in range(50):
            await wait_of(middleware, task, Message(ctx={"rate_key": str(number)}))
            await asyncio.sleep(1)

    run_virtual(main())

    assert len(middleware._slots) == 1


def test_declared_limits_are_those_of_the_task():
    middleware = MaxRate()

    assert middleware.limits(make_worker().task(lambda: None)) is None
    assert middleware.limits(make_task("4/s")) == QueueLimits(rate=Rate(0.25))
    assert middleware.limits(make_task("4/s", rate_key="user")) == (
        QueueLimits(rate=Rate(0.25), rate_keyed=True)
    )


class Unlimited(MemoryBroker):
    """Shares no limits."""

    set_limits = None  # type: ignore[assignment]


def limited_worker(concurrency: int) -> Worker:
    worker = make_worker(concurrency=concurrency)
    worker.broker = Unlimited(memory_url())
    return worker


def starts(concurrency: int, number: int, max_rate: str) -> list[tuple[int, float]]:
    """(number, time) of each start on a broker that shares no limits."""
    worker = limited_worker(concurrency)
    found: list[tuple[int, float]] = []

    @worker.task(max_rate=max_rate)
    async def task(count: int) -> None:
        found.append((count, asyncio.get_running_loop().time()))

    async def main() -> None:
        for count in range(number):
            await task.send(count)
        async with running(worker):
            await until(lambda: len(found) == number, "all runs")

    with VirtualClock() as clock:
        clock.run(main())
    return found


def test_broker_without_shared_limits_is_limited_here_and_keeps_the_order():
    found = starts(2, 10, "4/s")
    times = [at for _, at in found]

    assert [count for count, _ in found] == list(range(10))
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps == pytest.approx([0.25] * 9, abs=0.02)


def test_local_limit_is_said_at_start(caplog: pytest.LogCaptureFixture):
    worker = limited_worker(1)
    worker.task(max_rate="4/s")(lambda: None)

    async def main() -> None:
        worker.stop()
        await worker.run()

    with caplog.at_level(logging.WARNING):
        run_virtual(main())

    assert "Unlimited offers no shared limits" in caplog.text
    assert "for this worker alone" in caplog.text
