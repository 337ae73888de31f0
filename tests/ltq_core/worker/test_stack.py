"""The stack: its order, and what is left out of it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from ltq_core.abilities import QueueLimits, Rate
from ltq_core.errors import RejectError
from ltq_core.message import Message
from ltq_core.middleware import Middleware
from ltq_core.worker.stack import compile_stack, insert, limits_of, senders
from working import make_worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ltq_core.task import Task


class Layer(Middleware):
    """Notes when it is entered and left, and how."""

    def __init__(self, name: str, log: list[str], *, applies: bool = True) -> None:
        self.name = name
        self.log = log
        self._applies = applies

    @asynccontextmanager
    async def __call__(self, message: Message, task: Task[..., Any]) -> AsyncIterator[None]:
        self.log.append(f"{self.name} in")
        try:
            yield
        except Exception as error:
            self.log.append(f"{self.name} {error}")
            raise
        self.log.append(f"{self.name} out")

    def applies(self, task: Task[..., Any]) -> bool:
        return self._applies


class Limiting(Layer):
    """Declares a limit for each task."""

    declared: ClassVar[QueueLimits | None] = QueueLimits(rate=Rate(1))

    def limits(self, task: Task[..., Any]) -> QueueLimits | None:
        return self.declared


class Unlimiting(Limiting):
    """Could declare a limit, and declares none."""

    declared: ClassVar[QueueLimits | None] = None


class Capping(Limiting):
    declared: ClassVar[QueueLimits | None] = QueueLimits(concurrency=5)


def make_task() -> Task[..., Any]:
    return make_worker().task(lambda: None)


def run(
    middlewares: list[Middleware],
    log: list[str],
    error: Exception | None = None,
    *,
    shared_limits: bool = False,
) -> None:
    """One run in the stack of *middlewares*."""

    async def call(message: Message, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        log.append(f"run {args} {kwargs}")
        if error is not None:
            raise error

    stack = compile_stack(make_task(), middlewares, call, shared_limits=shared_limits)

    async def main() -> None:
        await stack(Message(), (1,), {"two": 2})

    asyncio.run(main())


def test_first_in_the_list_is_outermost():
    log: list[str] = []
    run([Layer("a", log), Layer("b", log)], log)

    assert log == ["a in", "b in", "run (1,) {'two': 2}", "b out", "a out"]


def test_exception_passes_from_the_innermost_outwards():
    log: list[str] = []
    with pytest.raises(RejectError):
        run([Layer("a", log), Layer("b", log)], log, RejectError("no"))

    assert log[-2:] == ["b no", "a no"]


def test_middleware_that_rejects_keeps_the_inner_ones_from_running():
    class Rejects(Layer):
        @asynccontextmanager
        async def __call__(self, message: Message, task: Task[..., Any]) -> AsyncIterator[None]:
            raise RejectError("closed")
            yield

    log: list[str] = []
    with pytest.raises(RejectError):
        run([Layer("a", log), Rejects("b", log), Layer("c", log)], log)

    assert log == ["a in", "a closed"]


def test_task_without_middleware_is_called_as_it_is():
    async def call(message: Message, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None: ...

    absent = Layer("absent", [], applies=False)

    assert compile_stack(make_task(), [absent], call, shared_limits=False) is call


@pytest.mark.parametrize(
    ("kind", "shared_limits", "present"),
    [
        (Limiting, True, False),
        (Limiting, False, True),
        (Unlimiting, True, True),
        (Layer, True, True),
    ],
)
def test_middleware_is_left_out_where_the_broker_limits_in_its_stead(
    kind: type[Layer], shared_limits: bool, present: bool
):
    log: list[str] = []
    run([kind("it", log)], log, shared_limits=shared_limits)

    assert ("it in" in log) is present


def test_limits_of_all_middleware_are_put_together():
    limiting, capping, plain = Limiting("a", []), Capping("b", []), Layer("c", [])

    assert limits_of(make_task(), [limiting, plain, capping]) == QueueLimits(Rate(1), 5)
    assert limits_of(make_task(), [plain, Unlimiting("d", [])]) is None


@pytest.mark.parametrize(
    ("pos", "order"), [(-1, "abc."), (0, ".abc"), (1, "a.bc"), (3, "abc."), (-2, "a.bc")]
)
def test_middleware_is_inserted_at_its_place(pos: int, order: str):
    stack: list[Middleware] = [Layer(name, []) for name in "abc"]
    insert(stack, Layer(".", []), pos)

    assert "".join(getattr(one, "name", "") for one in stack) == order


def test_only_what_says_something_of_sends_wraps_them():
    class Sending(Layer):
        def sending(self, message: Message, task: Task[..., Any]) -> Any:
            raise NotImplementedError

    first, second = Sending("a", []), Sending("b", [])
    absent = Sending("c", [], applies=False)

    assert senders(make_task(), [first, Layer("d", []), absent, second]) == (first, second)
