"""Middleware that is wrong as people write it: each fault is caught."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from ltq_core.errors import EncodeError, RetryError
from ltq_core.middleware import Middleware
from ltq_core.testing import MiddlewareConformance

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ltq_core.message import Message
    from ltq_core.task import Task


class Right(Middleware):
    """Does nothing, correctly."""

    caught_by: ClassVar[str] = ""

    @asynccontextmanager
    async def __call__(self, message: Message, task: Task[Any, Any]) -> AsyncIterator[None]:
        yield


class Wrong(Right):
    """One fault, and the test that must fail with it."""


class SwallowsExceptions(Wrong):
    caught_by = "test_exception_is_not_swallowed"

    @asynccontextmanager
    async def __call__(self, message: Message, task: Task[Any, Any]) -> AsyncIterator[None]:
        try:
            yield
        except ValueError:
            message.ctx["failed"] = True


class HidesSignals(Wrong):
    caught_by = "test_signal_reaches_the_worker"

    @asynccontextmanager
    async def __call__(self, message: Message, task: Task[Any, Any]) -> AsyncIterator[None]:
        try:
            yield
        except Exception as error:
            raise RuntimeError("the task failed") from error


class RetriesCancelledRuns(Wrong):
    caught_by = "test_end_of_a_run_passes"

    @asynccontextmanager
    async def __call__(self, message: Message, task: Task[Any, Any]) -> AsyncIterator[None]:
        try:
            yield
        except BaseException as error:
            raise RetryError(1) from error


class YieldsTwice(Wrong):
    caught_by = "test_successful_run_passes"

    @asynccontextmanager
    async def __call__(self, message: Message, task: Task[Any, Any]) -> AsyncIterator[None]:
        yield
        yield


class BreaksAfterAFailure(Wrong):
    """It cleans up only after a success."""

    caught_by = "test_middleware_survives_a_failure"
    busy = False

    @asynccontextmanager
    async def __call__(self, message: Message, task: Task[Any, Any]) -> AsyncIterator[None]:
        if self.busy:
            raise RuntimeError("the last run has not ended")
        self.busy = True
        yield
        self.busy = False


class KeepsARunInItself(Wrong):
    """What belongs to one run stands on the instance, which all runs share."""

    caught_by = "test_one_instance_serves_concurrent_runs"
    error: Exception | None = None

    @asynccontextmanager
    async def __call__(self, message: Message, task: Task[Any, Any]) -> AsyncIterator[None]:
        try:
            yield
        except Exception as error:
            self.error = self.error or error
            raise self.error from None


class StoresWhatIsNoJson(Wrong):
    caught_by = "test_message_stays_storable"

    @asynccontextmanager
    async def __call__(self, message: Message, task: Task[Any, Any]) -> AsyncIterator[None]:
        message.ctx["task"] = task
        yield


class ParsesCarelessly(Wrong):
    caught_by = "test_parsers_raise_nothing_but_value_error"
    options: ClassVar = {"option": lambda value: value.strip()}


class AcceptsNonsense(Wrong):
    caught_by = "test_refused_options_raise_value_error"
    options: ClassVar = {"option": str}


class DisownsItsOption(Wrong):
    caught_by = "test_options_are_accepted"


class AnswersDifferently(Wrong):
    caught_by = "test_applies_changes_nothing"
    asked = 0

    def applies(self, task: Task[Any, Any]) -> bool:
        self.asked += 1
        return self.asked == 1


class LooksAway(Wrong):
    caught_by = "test_applies_to_a_task_that_uses_it"

    def applies(self, task: Task[Any, Any]) -> bool:
        return "optoin" in task.options


class SwallowsFailedSends(Wrong):
    caught_by = "test_failed_send_is_not_swallowed"

    @asynccontextmanager
    async def sending(self, message: Message, task: Task[Any, Any]) -> AsyncIterator[None]:
        try:
            yield
        except ConnectionError:
            return


class SwallowsCancelledSends(Wrong):
    caught_by = "test_failed_send_is_not_swallowed"

    @asynccontextmanager
    async def sending(self, message: Message, task: Task[Any, Any]) -> AsyncIterator[None]:
        with suppress(asyncio.CancelledError):
            yield


class KeepsASendInItself(Wrong):
    caught_by = "test_one_instance_serves_concurrent_sends"
    error: Exception | None = None

    @asynccontextmanager
    async def sending(self, message: Message, task: Task[Any, Any]) -> AsyncIterator[None]:
        try:
            yield
        except Exception as error:
            self.error = self.error or error
            raise self.error from None


class ChangesWhatIsSent(Wrong):
    caught_by = "test_send_passes"

    @asynccontextmanager
    async def sending(self, message: Message, task: Task[Any, Any]) -> AsyncIterator[None]:
        message.kwargs["tenant"] = "acme"
        yield


class RenamesItsMessage(Wrong):
    caught_by = "test_message_stays_storable"

    @asynccontextmanager
    async def __call__(self, message: Message, task: Task[Any, Any]) -> AsyncIterator[None]:
        message.id = f"{message.id}-run"
        yield


class CountsTries(Wrong):
    """The worker alone counts them."""

    caught_by = "test_ctx_of_others_stays"

    @asynccontextmanager
    async def __call__(self, message: Message, task: Task[Any, Any]) -> AsyncIterator[None]:
        message.ctx["tries"] = message.ctx.get("tries", 0) + 1
        yield


class EmptiesCtx(Wrong):
    caught_by = "test_ctx_of_others_stays"

    @asynccontextmanager
    async def __call__(self, message: Message, task: Task[Any, Any]) -> AsyncIterator[None]:
        message.ctx.clear()
        yield


def fail(wrong: type[Right]) -> None:
    """Run the test that *wrong* names, with every parameter set that it has."""

    class Suite(MiddlewareConformance):
        task_options: ClassVar = {"option": "value"}
        refused_options: ClassVar = {key: ["nonsense"] for key in wrong.options}

    test = getattr(Suite(), wrong.caught_by)
    [mark] = getattr(test, "pytestmark", [None])
    if mark is None:
        test(wrong)
    else:
        for value in mark.args[1]:
            test(wrong, **{mark.args[0]: value})


@pytest.mark.parametrize("wrong", Wrong.__subclasses__(), ids=lambda wrong: wrong.__name__)
def test_wrong_middleware_is_caught(wrong: type[Wrong]) -> None:
    """The test that names the fault fails."""
    with pytest.raises((AssertionError, EncodeError, pytest.fail.Exception)):
        fail(wrong)


class TestRightMiddleware(MiddlewareConformance):
    """What does nothing does nothing wrong."""

    @pytest.fixture
    def make_middleware(self) -> type[Right]:
        return Right
