"""The worker's own threads."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar
from typing import Any

import pytest

from hostile import Masked, Nameless
from ltq_core.testing import VirtualClock, wait_until
from ltq_core.worker.threads import ThreadPool


@pytest.fixture
def pool():
    pool = ThreadPool(3, "pool")
    yield pool
    pool.close()


def names() -> list[str]:
    """The names of the pools' threads that live."""
    return sorted(one.name for one in threading.enumerate() if one.name.startswith("pool-"))


@pytest.fixture(autouse=True)
def _no_threads_left():
    yield
    wait_until(lambda: not names(), 10, "the threads have ended")


def call(pool: ThreadPool, function: Any) -> Any:
    async def main() -> Any:
        return await pool.call(function)

    return asyncio.run(main())


def test_result_is_returned(pool: ThreadPool):
    assert call(pool, lambda: 7) == 7


def test_function_runs_in_another_thread(pool: ThreadPool):
    assert call(pool, threading.current_thread) is not threading.current_thread()


def test_idle_thread_is_used_again(pool: ThreadPool):
    async def main() -> list[str]:
        return [await pool.call(lambda: threading.current_thread().name) for _ in range(5)]

    assert asyncio.run(main()) == ["pool-1"] * 5


def test_calls_at_once_get_a_thread_each(pool: ThreadPool):
    together = threading.Barrier(3, timeout=10)

    async def main() -> None:
        await asyncio.gather(*(pool.call(together.wait) for _ in range(3)))

    asyncio.run(main())


def test_no_more_threads_than_its_size_are_started(pool: ThreadPool):
    gate = threading.Event()
    waiting = threading.Semaphore(0)

    def work() -> str:
        waiting.release()
        assert gate.wait(10)
        return threading.current_thread().name

    async def main() -> list[str]:
        calls = [pool.call(work) for _ in range(10)]
        for _ in range(3):
            await asyncio.to_thread(waiting.acquire)
        assert names() == ["pool-1", "pool-2", "pool-3"]
        gate.set()
        return await asyncio.gather(*calls)

    assert len(asyncio.run(main())) == 10


@pytest.mark.parametrize(
    "error",
    [ValueError("no"), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()],
    ids=repr,
)
def test_what_a_function_raises_is_raised(pool: ThreadPool, error: BaseException):
    def fails() -> None:
        raise error

    async def main() -> BaseException | None:
        future = pool.call(fails)
        await asyncio.wait({future})
        return future.exception()

    assert asyncio.run(main()) is error


def test_error_that_hides_its_class_is_raised(pool: ThreadPool):
    def fails() -> None:
        raise Masked

    async def main() -> type:
        future = pool.call(fails)
        await asyncio.wait({future})
        return type(future.exception())

    assert asyncio.run(main()) is Masked


@pytest.mark.parametrize("error", [StopIteration("end"), Nameless()])
def test_stop_iteration_is_raised_as_what_a_future_can_hold(
    pool: ThreadPool, error: StopIteration
):
    def fails() -> None:
        raise error

    with pytest.raises(RuntimeError, match=f"the task raised {type(error).__name__}: "):
        call(pool, fails)


def test_thread_serves_on_after_a_failure(pool: ThreadPool):
    async def main() -> tuple[Any, Any]:
        failed = await asyncio.gather(pool.call(lambda: 1 / 0), return_exceptions=True)
        return failed, await pool.call(lambda: 7)

    [failure], result = asyncio.run(main())

    assert isinstance(failure, ZeroDivisionError)
    assert result == 7
    assert names() == ["pool-1"]


def test_context_is_that_of_the_caller(pool: ThreadPool):
    variable: ContextVar[str] = ContextVar("variable", default="unset")

    def change() -> str:
        found = variable.get()
        variable.set("changed")
        return found

    async def main() -> list[str]:
        variable.set("set")
        return [await pool.call(change), await pool.call(change), variable.get()]

    assert asyncio.run(main()) == ["set", "set", "set"]


def test_cancelled_call_is_waited_for_by_nobody(pool: ThreadPool):
    gate, ended = threading.Event(), threading.Event()

    def work() -> None:
        gate.wait(10)
        ended.set()

    async def main() -> None:
        future = pool.call(work)
        future.cancel()
        gate.set()
        assert await asyncio.to_thread(ended.wait, 10)
        assert await pool.call(lambda: 7) == 7

    asyncio.run(main())


def test_thread_that_outlasts_its_loop_ends_in_silence(pool: ThreadPool):
    gate = threading.Event()

    async def main() -> None:
        pool.call(lambda: gate.wait(10))

    asyncio.run(main())
    pool.close()
    gate.set()


def test_threads_keep_no_process_from_exiting(pool: ThreadPool):
    assert call(pool, lambda: threading.current_thread().daemon)


def test_closed_pool_finishes_what_was_called(pool: ThreadPool):
    async def main() -> list[int]:
        calls = [pool.call(lambda number=number: number) for number in range(10)]
        pool.close()
        return await asyncio.gather(*calls)

    assert asyncio.run(main()) == list(range(10))


def test_virtual_clock_stands_still_while_a_function_runs(pool: ThreadPool):
    gate = threading.Event()

    async def main() -> float:
        loop = asyncio.get_running_loop()
        timer = loop.call_later(3600, gate.set)
        threading.Timer(0.05, gate.set).start()
        await pool.call(lambda: gate.wait(10))
        timer.cancel()
        return loop.time()

    with VirtualClock() as clock:
        assert clock.run(main()) < 1
