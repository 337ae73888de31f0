"""How a scheduler starts and ends."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from fake_ticks import SECOND, FakeTicks, TickStore, each, message, on, reach, run_jumping
from ltq_core.broker import Broker
from ltq_core.errors import ConfigurationError
from ltq_core.scheduler import Scheduler
from ltq_core.testing.waiting import wait_until

if TYPE_CHECKING:
    from ltq_core.message import Message

SOON = timedelta(milliseconds=20)


class Plain(Broker):
    """What a third party must write, and nothing beyond."""

    async def publish(self, message: Message, delay: float = 0) -> None:
        raise NotImplementedError

    async def consume(self, queue: str) -> Message:
        raise NotImplementedError

    async def ack(self, message: Message) -> None:
        raise NotImplementedError

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        raise NotImplementedError

    async def size(self, queue: str) -> int:
        raise NotImplementedError

    async def clear(self, queue: str) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


class Broken(FakeTicks):
    """A broker with a mistake of its own."""

    async def last_tick(self, queue: str, job: str) -> float | None:
        raise ZeroDivisionError("a mistake")


def in_thread(scheduler: Scheduler) -> threading.Thread:
    thread = threading.Thread(target=scheduler.start)
    thread.start()
    return thread


# The blocking start


def test_start_blocks_until_it_is_asked_to_stop() -> None:
    scheduler = each(SOON, store := TickStore())
    thread = in_thread(scheduler)
    wait_until(lambda: len(store.messages) >= 2, 5, "two ticks are sent")
    assert thread.is_alive()

    scheduler.request_stop()

    thread.join(5)
    assert not thread.is_alive()


def test_stop_ends_a_scheduler_of_another_thread_and_waits_for_it() -> None:
    scheduler = each(SOON, store := TickStore())
    thread = in_thread(scheduler)
    wait_until(lambda: store.messages, 5, "a tick is sent")

    asyncio.run(scheduler.stop())
    sent = len(store.messages)

    thread.join(5)
    assert len(store.messages) == sent


def test_start_in_a_running_loop_names_the_other_way() -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="start_background"):
            each(SECOND, TickStore()).start()

    asyncio.run(main())


def test_ctrl_c_ends_it_cleanly() -> None:
    code = (
        "from datetime import timedelta\n"
        "from ltq_core.message import Message\n"
        "from ltq_core.scheduler import Scheduler\n"
        "class Loud(Scheduler):\n"
        "    async def run(self):\n"
        "        print('up', flush=True)\n"
        "        await super().run()\n"
        "scheduler = Loud('memory://')\n"
        "scheduler.every(timedelta(hours=1), Message((), {}, 'mail:digest'))\n"
        "scheduler.start()\n"
        "print('ended')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)

    assert (process.returncode, out, err) == (0, "ended\n", "")


# In the background


def test_stop_ends_what_start_background_began() -> None:
    async def main(store: TickStore) -> None:
        scheduler = each(SECOND, store)
        task = scheduler.start_background()
        await reach(2.5)
        await scheduler.stop()
        assert task.done()
        await reach(10)

    run_jumping(main(store := TickStore()))

    assert store.sent == [1, 2]


def test_stop_right_after_the_start_ends_it_too() -> None:
    async def main() -> None:
        scheduler = each(SECOND, TickStore())
        task = scheduler.start_background()
        await scheduler.stop()

        assert task.done()

    run_jumping(main())


def test_stop_without_a_start_does_nothing_to_the_next_one() -> None:
    async def main(store: TickStore) -> None:
        scheduler = each(SECOND, store)
        await scheduler.stop()
        scheduler.start_background()
        await reach(1.5)
        await scheduler.stop()
        await scheduler.stop()

    run_jumping(main(store := TickStore()))

    assert store.sent == [1]


def test_cancelling_the_task_ends_it() -> None:
    async def main() -> None:
        scheduler = each(SECOND, TickStore())
        for wait in (0.0, 1.0):
            task = scheduler.start_background()
            await asyncio.sleep(wait)
            task.cancel()
            await asyncio.wait({task})

            assert task.cancelled()

    run_jumping(main())


def test_a_failure_in_the_background_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        scheduler = on(TickStore())
        scheduler.broker = Broken(TickStore())
        scheduler.every(SECOND, message())
        await asyncio.wait({scheduler.start_background()})

    run_jumping(main())

    assert "The scheduler ended" in caplog.text
    assert "a mistake" in caplog.text


# Asked to stop


def test_a_stop_requested_before_the_run_ends_that_run_only() -> None:
    async def main(store: TickStore) -> None:
        scheduler = each(SECOND, store)
        scheduler.request_stop()
        await scheduler.run()
        assert asyncio.get_running_loop().time() < 0.2
        scheduler.start_background()
        await reach(1.5)
        await scheduler.stop()

    run_jumping(main(store := TickStore()))

    assert store.sent == [1]


def test_a_stop_requested_during_the_run_says_nothing_of_the_next() -> None:
    async def main(store: TickStore) -> None:
        scheduler = each(SECOND, store)
        for second in (1.5, 2.5):
            task = scheduler.start_background()
            await reach(second)
            scheduler.request_stop()
            await task

    run_jumping(main(store := TickStore()))

    assert store.sent == [1, 2]


def test_a_scheduler_outlives_the_loop_that_was_closed_around_it() -> None:
    scheduler = each(SOON, store := TickStore())
    loop = asyncio.new_event_loop()
    loop.run_until_complete(_begin(scheduler))
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()

    async def main() -> None:
        scheduler.start_background()
        await wait_until(lambda: store.messages, 5, "a tick is sent")
        await scheduler.stop()

    asyncio.run(main())


async def _begin(scheduler: Scheduler) -> None:
    scheduler.start_background()


# What cannot run


def test_a_broker_without_ticks_is_named_at_the_start() -> None:
    async def main() -> None:
        scheduler = on(TickStore())
        scheduler.broker = Plain()
        scheduler.every(SECOND, message())
        with pytest.raises(ConfigurationError, match=r"Ticks .*publish_tick.* Plain lacks"):
            scheduler.start_background()

    run_jumping(main())


def test_a_scheduler_without_a_job_does_not_start() -> None:
    with pytest.raises(ConfigurationError, match="no job"):
        Scheduler("memory://").start()


def test_a_scheduler_does_not_run_twice_at_once() -> None:
    async def main() -> None:
        scheduler = each(SECOND, TickStore())
        scheduler.start_background()
        with pytest.raises(RuntimeError, match="running already"):
            await scheduler.run()
        await scheduler.stop()

    run_jumping(main())


def test_a_job_cannot_be_declared_while_it_runs() -> None:
    async def main() -> None:
        scheduler = each(SECOND, TickStore())
        scheduler.start_background()
        with pytest.raises(ConfigurationError, match="before the scheduler starts"):
            scheduler.every(2 * SECOND, message())
        await scheduler.stop()
        scheduler.every(2 * SECOND, message())

    run_jumping(main())


# Its broker


def test_a_broker_that_was_assigned_is_left_open() -> None:
    async def main() -> int:
        scheduler = each(SECOND, TickStore())
        scheduler.start_background()
        await reach(1.5)
        await scheduler.stop()
        assert isinstance(scheduler.broker, FakeTicks)
        return scheduler.broker.closed

    assert run_jumping(main()) == 0


def test_a_broker_that_it_made_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    made = FakeTicks(TickStore())
    monkeypatch.setattr(Broker, "from_url", lambda url: made)

    async def main() -> None:
        scheduler = Scheduler("fake://")
        scheduler.every(SECOND, message())
        scheduler.start_background()
        await reach(1.5)
        await scheduler.stop()

    run_jumping(main())

    assert made.closed == 1


def test_its_url_is_found_like_a_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LTQ_BROKER_URL", "memory://of-the-environment")

    assert Scheduler().broker_url == "memory://of-the-environment"
    assert Scheduler("memory://declared").broker_url == "memory://declared"
