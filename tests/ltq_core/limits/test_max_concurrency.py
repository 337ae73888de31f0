"""`max_concurrency` where no broker enforces it: for this worker alone."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from ltq_core.abilities import QueueLimits
from ltq_core.errors import DeferError
from ltq_core.limits.max_concurrency import LOOK_AGAIN, MaxConcurrency
from ltq_core.message import Message
from ltq_core.testing import MiddlewareConformance, run_virtual
from working import make_worker

if TYPE_CHECKING:
    from ltq_core.task import Task


class TestContract(MiddlewareConformance):
    task_options: ClassVar[dict[str, Any]] = {"max_concurrency": 20}
    refused_options: ClassVar[dict[str, Any]] = {
        "max_concurrency": [0, -1, True, 1.5, "5", None, float("inf")]
    }

    @pytest.fixture
    def make_middleware(self):
        return MaxConcurrency


def make_task(**options: Any) -> Task[..., Any]:
    def task(user: int = 0) -> None: ...

    return make_worker(middlewares=[MaxConcurrency()]).task(**options)(task)


async def enter(
    exits: AsyncExitStack, middleware: MaxConcurrency, task: Task[..., Any], **ctx: Any
) -> None:
    await exits.enter_async_context(middleware(Message(ctx=ctx), task))


def test_run_beyond_the_limit_is_deferred():
    middleware, task = MaxConcurrency(), make_task(max_concurrency=2)

    async def main() -> None:
        async with AsyncExitStack() as exits:
            await enter(exits, middleware, task)
            await enter(exits, middleware, task)
            with pytest.raises(DeferError) as caught:
                await enter(exits, middleware, task)
            assert caught.value.delay == LOOK_AGAIN

    run_virtual(main())


@pytest.mark.parametrize("error", [None, ValueError("failed")])
def test_place_is_free_after_a_run_however_it_ended(error: Exception | None):
    middleware, task = MaxConcurrency(), make_task(max_concurrency=1)

    async def fail() -> None:
        async with middleware(Message(), task):
            if error is not None:
                raise error

    async def main() -> None:
        for _ in range(3):
            try:
                await fail()
            except ValueError:
                continue

    run_virtual(main())


def test_each_task_has_places_of_its_own():
    middleware = MaxConcurrency()
    one = make_task(max_concurrency=1)
    other = make_worker(middlewares=[middleware]).task(max_concurrency=1)(lambda: None)

    async def main() -> None:
        async with AsyncExitStack() as exits:
            await enter(exits, middleware, one)
            await enter(exits, middleware, other)

    run_virtual(main())


def test_each_key_has_places_of_its_own():
    middleware = MaxConcurrency()
    task = make_task(max_concurrency=1, concurrency_key="user")

    async def main() -> None:
        async with AsyncExitStack() as exits:
            await enter(exits, middleware, task, concurrency_key="7")
            await enter(exits, middleware, task, concurrency_key="8")
            with pytest.raises(DeferError):
                await enter(exits, middleware, task, concurrency_key="7")

    run_virtual(main())


def test_keys_are_forgotten_after_their_runs():
    middleware = MaxConcurrency()
    task = make_task(max_concurrency=1, concurrency_key="user")

    async def main() -> None:
        async with AsyncExitStack() as exits:
            for number in range(10):
                await enter(exits, middleware, task, concurrency_key=str(number))

    run_virtual(main())

    assert not middleware._running


def test_declared_limits_are_those_of_the_task():
    middleware = MaxConcurrency()

    assert middleware.limits(make_task()) is None
    assert middleware.limits(make_task(max_concurrency=5)) == QueueLimits(concurrency=5)
    assert middleware.limits(make_task(max_concurrency=5, concurrency_key="user")) == (
        QueueLimits(concurrency=5, concurrency_keyed=True)
    )
