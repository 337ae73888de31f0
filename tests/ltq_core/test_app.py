"""Several workers, each in a thread with its own event loop."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from ltq_core.app import App
from ltq_core.errors import ConfigurationError, DuplicateWorkerError, UnknownOptionError
from ltq_core.middleware import Middleware
from ltq_core.testing import wait_until
from ltq_core.worker import Worker
from working import memory_url, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ltq_core.message import Message
    from ltq_core.task import Task


class Tag(Middleware):
    """Notes the tasks whose runs it wraps."""

    def __init__(self, name: str = "", seen: list[str] | None = None) -> None:
        self.name = name
        self.seen = [] if seen is None else seen

    @asynccontextmanager
    async def __call__(self, message: Message, task: Task[..., Any]) -> AsyncIterator[None]:
        self.seen.append(f"{self.name} {task.name}")
        yield


def nothing() -> None: ...


def make_worker(name: str = "one", *middlewares: str) -> Worker:
    return Worker(name, memory_url(), middlewares=[Tag(one) for one in middlewares])


def make_app(*names: str) -> App:
    """An app of workers that have something to do."""
    app = App()
    for name in names:
        worker = make_worker(name)
        worker.task(nothing)
        app.register_worker(worker)
    return app


def order(worker: Worker) -> str:
    return "".join(getattr(one, "name", "?") for one in worker.middlewares)


@asynccontextmanager
async def running(app: App, **settings: Any) -> AsyncIterator[asyncio.Task[None]]:
    """*app* at work; stopped at the end."""
    run = asyncio.create_task(app.run(**settings))
    yield run
    app.stop()
    await asyncio.wait_for(run, 20)


def test_middleware_of_the_app_goes_before_that_of_a_worker():
    app = App([Tag("A"), Tag("B")])
    worker = make_worker("one", "w")
    app.register_worker(worker)

    assert order(worker) == "ABw"


def test_list_of_the_app_is_its_own():
    given: list[Middleware] = [Tag("A")]
    app = App(given)
    app.register_middleware(Tag("B"))

    assert len(given) == 1


@pytest.mark.parametrize(
    ("pos", "found"), [(-1, "ABCw"), (0, "CABw"), (1, "ACBw"), (2, "ABCw")]
)
def test_middleware_reaches_workers_registered_before_and_after(pos: int, found: str):
    app = App([Tag("A"), Tag("B")])
    before, after = make_worker("before", "w"), make_worker("after", "w")
    app.register_worker(before)
    app.register_middleware(Tag("C"), pos)
    app.register_worker(after)

    assert (order(before), order(after)) == (found, found)


@pytest.mark.parametrize(("pos", "found"), [(-1, "xAyBCw"), (0, "CxAyBw"), (1, "xACyBw")])
def test_middleware_that_a_worker_put_between_stays_where_it_is(pos: int, found: str):
    app = App([Tag("A"), Tag("B")])
    worker = make_worker("one", "w")
    app.register_worker(worker)
    worker.register_middleware(Tag("x"), 0)
    worker.register_middleware(Tag("y"), 2)
    app.register_middleware(Tag("C"), pos)

    assert order(worker) == found


def test_first_middleware_of_an_app_goes_before_that_of_its_workers():
    app = App()
    worker = make_worker("one", "w")
    app.register_worker(worker)
    app.register_middleware(Tag("A"))

    assert order(worker) == "Aw"


def test_two_workers_of_one_name_are_an_error():
    app = make_app("one")

    with pytest.raises(DuplicateWorkerError, match="already has a worker 'one'"):
        app.register_worker(make_worker("one"))
    with pytest.raises(RuntimeError):
        app.register_worker(make_worker("one"))
    assert len(app.workers) == 1


def test_app_without_workers_is_an_error():
    with pytest.raises(ConfigurationError, match="no worker"):
        asyncio.run(App().run())


def test_each_worker_has_a_thread_and_a_loop_of_its_own():
    app = App()
    seen: set[tuple[str, int]] = set()

    async def note() -> None:
        seen.add((threading.current_thread().name, id(asyncio.get_running_loop())))

    tasks = []
    for name in ("one", "two"):
        worker = make_worker(name)
        tasks.append(worker.task(note))
        app.register_worker(worker)

    async def main() -> None:
        async with running(app):
            for task in tasks:
                await task.send()
            await until(lambda: len(seen) == 2, "both runs")

    asyncio.run(main())

    assert {name for name, _ in seen} == {"ltq-one", "ltq-two"}
    assert len({loop for _, loop in seen}) == 2


def test_blocked_worker_does_not_block_the_others():
    app = App()
    gate = threading.Event()
    one, two = make_worker("one"), make_worker("two")

    @one.task
    async def blocks() -> None:
        assert gate.wait(10)

    @two.task
    async def opens() -> None:
        gate.set()

    app.register_worker(one)
    app.register_worker(two)

    async def main() -> None:
        async with running(app):
            await blocks.send()
            await opens.send()
            await until(gate.is_set, "the other worker's run")

    asyncio.run(main())


def test_task_of_one_worker_is_sent_from_a_task_of_another():
    app = App()
    one, two = make_worker("one"), make_worker("two")
    got: list[int] = []

    @one.task
    async def sends(number: int) -> None:
        await gets.send(number)

    @one.task
    def sends_from_a_thread(number: int) -> None:
        gets.send_sync(number)

    @two.task
    async def gets(number: int) -> None:
        got.append(number)

    app.register_worker(one)
    app.register_worker(two)

    async def main() -> None:
        async with running(app):
            for number in range(10):
                await sends.send(number)
                await sends_from_a_thread.send(number + 100)
            await until(lambda: len(got) == 20, "all runs")

    asyncio.run(main())

    assert sorted(got) == [*range(10), *range(100, 110)]


def test_middleware_of_the_app_wraps_the_runs_of_all_workers():
    seen: list[str] = []
    app = make_app("one", "two")
    app.register_middleware(Tag("A", seen))

    async def main() -> None:
        async with running(app):
            for worker in app.workers.values():
                await worker.tasks[f"{worker.name}:nothing"].send()
            await until(lambda: len(seen) == 2, "both runs")

    asyncio.run(main())

    assert sorted(seen) == ["A one:nothing", "A two:nothing"]


def test_stop_ends_every_worker():
    def names() -> list[str]:
        return [one.name for one in threading.enumerate() if one.name.startswith("ltq-stop")]

    async def main() -> None:
        async with running(make_app("stop1", "stop2", "stop3")):
            await until(lambda: len(names()) == 3, "the threads run")

    asyncio.run(main())

    wait_until(lambda: not names(), 10, "the threads end")


def test_stop_before_run_makes_it_return_at_once():
    app = make_app("one", "two")
    app.stop()
    asyncio.run(asyncio.wait_for(app.run(), 10))


def test_app_runs_again_after_it_was_stopped():
    app = make_app("one", "two")
    seen: list[str] = []
    app.register_middleware(Tag("A", seen))
    task = app.workers["one"].tasks["one:nothing"]

    async def main() -> None:
        for count in (1, 2):
            async with running(app):
                await task.send()
                await until(lambda count=count: len(seen) == count, "the run")

    asyncio.run(main())


class FatalError(Exception):
    """Ends a worker."""


class Fatal(Worker):
    """Dies as soon as it runs, after *wait*."""

    wait = staticmethod(lambda: None)

    async def run(self, **settings: Any) -> None:
        self.wait()
        raise FatalError(self.name)


def test_worker_that_dies_takes_the_app_down_with_its_exception(
    caplog: pytest.LogCaptureFixture,
):
    app = make_app("one", "two")
    app.register_worker(Fatal("fatal"))

    with pytest.raises(FatalError, match="fatal"):
        asyncio.run(asyncio.wait_for(app.run(), 20))
    assert "Worker 'fatal' died: the app ends" in caplog.text


def test_first_death_is_the_one_that_is_raised():
    app = App()
    late, early = Fatal("late"), Fatal("early")
    died = threading.Event()
    late.stop = died.set  # type: ignore[method-assign]
    late.wait = lambda: died.wait(10)  # type: ignore[assignment,method-assign,misc,return-value]
    app.register_worker(late)
    app.register_worker(early)

    with pytest.raises(FatalError, match="early"):
        asyncio.run(asyncio.wait_for(app.run(), 20))


def test_runs_of_other_workers_are_finished_when_one_dies():
    app = App()
    good, fatal = make_worker("good"), Fatal("fatal")
    started, ended = threading.Event(), threading.Event()
    fatal.wait = lambda: started.wait(10)  # type: ignore[assignment,method-assign,misc,return-value]

    @good.task
    async def runs() -> None:
        started.set()
        await asyncio.to_thread(stopped.wait, 10)
        ended.set()

    stopped = threading.Event()
    stop = good.stop
    good.stop = lambda: (stop(), stopped.set())  # type: ignore[method-assign,assignment]
    app.register_worker(good)
    app.register_worker(fatal)

    async def main() -> None:
        await runs.send()
        await asyncio.wait_for(app.run(), 20)

    with pytest.raises(FatalError):
        asyncio.run(main())
    assert ended.is_set()


def test_configuration_error_of_a_worker_reaches_the_caller():
    app = make_app("one")
    bad = make_worker("bad")
    bad.task(max_trys=3)(nothing)
    app.register_worker(bad)

    with pytest.raises(UnknownOptionError, match="bad:nothing"):
        asyncio.run(asyncio.wait_for(app.run(), 20))


def test_cancelled_run_stops_every_worker():
    app = make_app("one", "two")

    async def main() -> None:
        async with asyncio.timeout(20):
            run = asyncio.create_task(app.run())
            await until(
                lambda: all(one._engine is not None for one in app.workers.values()),
                "the start",
            )
            run.cancel()
            with pytest.raises(asyncio.CancelledError):
                await run

    asyncio.run(main())

    assert all(worker._engine is None for worker in app.workers.values())
