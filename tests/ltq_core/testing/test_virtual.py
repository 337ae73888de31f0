"""The virtual clock, and the event loop that it drives."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from ltq_core.clock import now, virtual_clock
from ltq_core.testing import VirtualClock, run_virtual, virtual_time

YEAR = 365 * 86400.0


def loop_time() -> float:
    return asyncio.get_running_loop().time()


@virtual_time
async def test_sleep_takes_no_time() -> None:
    start = time.monotonic()

    await asyncio.sleep(86400)

    assert loop_time() == 86400
    assert time.monotonic() - start < 5  # on a machine however busy


@virtual_time
async def test_sleepers_wake_in_the_order_of_their_times() -> None:
    woken: list[tuple[float, float]] = []

    async def sleeper(seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append((seconds, loop_time()))

    await asyncio.gather(*map(sleeper, (3, 1, 86400 * 2, 2)))

    assert woken == [(1, 1), (2, 2), (3, 3), (172800, 172800)]


@virtual_time
async def test_time_does_not_pass_while_anything_is_ready() -> None:
    for _ in range(1000):
        await asyncio.sleep(0)

    assert loop_time() == 0


@virtual_time
async def test_timeout_follows_the_clock() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3600):
            await asyncio.Event().wait()

    assert loop_time() == 3600


@virtual_time(limit=timedelta(days=400))
async def test_timer_is_at_most_a_microsecond_late_after_a_year() -> None:
    late = []

    for step in range(20):
        instant = YEAR + 0.1 * step
        await asyncio.sleep(instant - loop_time())
        late.append(loop_time() - instant)

    assert min(late) > -2e-7
    assert max(late) < 1e-6


@virtual_time(start=datetime(2027, 3, 1, 12, tzinfo=UTC))
async def test_clock_starts_when_it_is_told_to() -> None:
    await asyncio.sleep(90)

    assert datetime.fromtimestamp(now(), UTC) == datetime(2027, 3, 1, 12, 1, 30, tzinfo=UTC)


def test_clock_goes_on_from_one_run_to_the_next() -> None:
    start = datetime(2027, 3, 1, tzinfo=UTC)

    with VirtualClock(start) as clock:
        clock.run(asyncio.sleep(60))
        clock.run(asyncio.sleep(60))

        assert clock.now() == start + timedelta(minutes=2)


def test_clock_stands_still_between_runs() -> None:
    with VirtualClock() as clock:
        assert now() == now() == clock.wall_time()


def test_former_clock_is_followed_again_afterwards() -> None:
    with VirtualClock() as outer:
        with VirtualClock():
            pass

        assert virtual_clock() is outer
    assert virtual_clock() is None


def test_clock_starts_at_no_naive_time() -> None:
    with pytest.raises(ValueError, match="aware datetime"):
        VirtualClock(datetime(2027, 3, 1))  # noqa: DTZ001


def test_clock_runs_nothing_before_it_is_entered() -> None:
    with pytest.raises(RuntimeError, match="Enter the clock first"):
        VirtualClock().run(asyncio.sleep(1))


def test_what_waits_for_nothing_fails_at_the_limit() -> None:
    async def wait_in_vain() -> None:
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError, match="did not end within 31 days"):
        run_virtual(wait_in_vain())


def test_timeout_of_the_program_itself_is_passed_on() -> None:
    async def fail() -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="^mine$"):
        run_virtual(fail())


@virtual_time
async def test_clock_stands_still_while_a_thread_of_the_loop_works() -> None:
    go_on = threading.Event()
    work = asyncio.create_task(asyncio.to_thread(go_on.wait))
    sleeper = asyncio.create_task(asyncio.sleep(60))

    threading.Timer(0.05, go_on.set).start()
    await work

    assert loop_time() == 0
    await sleeper
    assert loop_time() == 60


@virtual_time
async def test_other_threads_go_by_the_clock() -> None:
    await asyncio.sleep(100)
    seen: list[float] = []

    thread = threading.Thread(target=lambda: seen.append(now()))
    thread.start()
    thread.join()

    assert seen == [now()]


@virtual_time
async def test_what_arrives_at_a_socket_comes_before_the_next_timer() -> None:
    received: asyncio.Future[tuple[bytes, float]] = asyncio.get_running_loop().create_future()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.set_result((await reader.readline(), loop_time()))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hello\n")
    async with asyncio.timeout(60):
        result = await received
    writer.close()
    server.close()
    await server.wait_closed()

    assert result == (b"hello\n", 0)


def test_chance_is_the_same_each_time() -> None:
    async def draw() -> list[float]:
        return [random.random() for _ in range(3)]

    assert run_virtual(draw()) == run_virtual(draw())
    assert run_virtual(draw()) != run_virtual(draw(), seed=1)


def test_chance_is_left_as_it_was() -> None:
    before = random.getstate()

    with VirtualClock():
        random.random()

    assert random.getstate() == before


def test_decorated_test_is_a_plain_function_that_returns_the_result() -> None:
    @virtual_time
    async def add(a: int, b: int) -> int:
        await asyncio.sleep(1)
        return a + b

    result: int = add(1, b=2)

    assert result == 3
    assert not asyncio.iscoroutinefunction(add)


@virtual_time
async def test_decorated_test_gets_its_fixtures(tmp_path: object) -> None:
    assert tmp_path is not None
