"""What a middleware gets that says nothing about itself."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from ltq_core.limits.max_concurrency import MaxConcurrency
from ltq_core.limits.max_rate import MaxRate
from ltq_core.limits.max_tries import MaxTries
from ltq_core.message import Message
from ltq_core.middleware import PHASES, DeclaresLimits, Middleware, MiddlewareSpec
from working import make_worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ltq_core.task import Task


class Small(Middleware):
    """The least that a middleware may be."""

    @asynccontextmanager
    async def __call__(self, message: Message, task: Task[..., Any]) -> AsyncIterator[None]:
        yield


def make_task() -> Task[..., Any]:
    return make_worker().task(lambda: None)


def test_class_without_a_call_is_no_middleware():
    class Empty(Middleware):
        """Says nothing."""

    with pytest.raises(TypeError, match="__call__"):
        Empty()


def test_middleware_applies_to_every_task_and_understands_no_option():
    assert Small().applies(make_task())
    assert dict(Small.options) == dict(Small.requires) == {}


def test_send_passes_a_middleware_that_says_nothing_of_sends():
    message = Message((), {}, "a:b", {}, "1")

    async def main() -> None:
        async with Small().sending(message, make_task()):
            pass

    asyncio.run(main())

    assert message == Message((), {}, "a:b", {}, "1")


@pytest.mark.parametrize(
    ("middleware", "answer"),
    [(MaxRate(), True), (MaxConcurrency(), True), (MaxTries(), False), (Small(), False)],
)
def test_middleware_that_declares_limits_is_found_by_its_method(
    middleware: Middleware, answer: bool
):
    assert isinstance(middleware, DeclaresLimits) is answer


def test_phases_are_in_order_the_outermost_first():
    assert PHASES == ("observe", "retry", "guard", "limit", "inner")


def test_described_middleware_is_innermost_and_no_default_unless_it_says_so():
    spec = MiddlewareSpec("small", "here:Small")

    assert (spec.phase, spec.default, spec.options) == ("inner", False, ())
