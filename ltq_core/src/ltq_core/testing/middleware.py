"""The `Middleware` contract as tests."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from ltq_core.clock import now
from ltq_core.errors import BrokerUnavailableError, DeferError, RejectError, RetryError
from ltq_core.message import Delivery, Message
from ltq_core.middleware import Middleware
from ltq_core.task import Task

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from ltq_core.broker import Broker

    Wrap = Callable[[Message, Task[..., Any]], AbstractAsyncContextManager[None]]

MakeMiddleware = Callable[[], Middleware]
SIGNALS = (RetryError, DeferError, RejectError)
ODD_VALUES: Sequence[Any] = (None, "", "🦀", -1, float("nan"), [], {}, object(), object)


class _Owner:
    """A worker as far as a task needs one; nothing is sent."""

    broker: Broker

    def senders(self, task: Task[Any, Any]) -> tuple[Middleware, ...]:
        return ()


class MiddlewareConformance:
    """What every middleware promises.

    A subclass defines one pytest fixture, ``make_middleware``: a callable that returns
    a new instance. Each test is a plain function that runs its own event loop::

        class TestTracing(MiddlewareConformance):
            task_options = {"trace": True}

            @pytest.fixture
            def make_middleware(self):
                return Tracing
    """

    task_options: ClassVar[Mapping[str, Any]] = {}
    """Options of the test's task, as its author writes them: what makes the middleware
    do its work."""

    refused_options: ClassVar[Mapping[str, Sequence[Any]]] = {}
    """For each option, values that must be refused when the task is declared."""

    def test_successful_run_passes(self, make_middleware: MakeMiddleware) -> None:
        """The context of a run is entered and left once, and adds no exception."""
        runs: list[str] = []
        assert self._outcome(make_middleware(), run=lambda: runs.append("run")) is None
        assert runs == ["run"]

    @pytest.mark.parametrize("error", [ValueError("of the task"), SystemExit(3)])
    def test_exception_is_not_swallowed(
        self, make_middleware: MakeMiddleware, error: BaseException
    ) -> None:
        """What the task raises passes through, or becomes a signal to the worker."""
        outcome = self._outcome(make_middleware(), _raising(error))

        assert outcome is error or isinstance(outcome, SIGNALS), f"it became {outcome!r}"

    @pytest.mark.parametrize("signal", [RetryError(5), DeferError(5), RejectError("no")])
    def test_signal_reaches_the_worker(
        self, make_middleware: MakeMiddleware, signal: Exception
    ) -> None:
        """A signal that the task raises is still a signal outside."""
        outcome = self._outcome(make_middleware(), _raising(signal))

        assert isinstance(outcome, SIGNALS), f"it became {outcome!r}"

    def test_end_of_a_run_passes(self, make_middleware: MakeMiddleware) -> None:
        """A run that its worker cancels ends with CancelledError, and with nothing else."""
        outcome = asyncio.run(self._cancelled(make_middleware()))

        assert isinstance(outcome, asyncio.CancelledError), f"it became {outcome!r}"

    def test_middleware_survives_a_failure(self, make_middleware: MakeMiddleware) -> None:
        """After a run that failed, the next one passes, or is held back by a signal."""
        middleware = make_middleware()
        self._outcome(middleware, _raising(ValueError("of the task")))

        outcome = self._outcome(middleware, _nothing)
        assert outcome is None or isinstance(outcome, SIGNALS), f"it raised {outcome!r}"

    def test_one_instance_serves_concurrent_runs(self, make_middleware: MakeMiddleware) -> None:
        """Runs that overlap do not mix: each sees its own exception."""
        errors = [ValueError(f"of run {number}") for number in range(10)]
        middleware = make_middleware()
        outcomes = asyncio.run(self._overlapping(middleware, middleware, errors))

        mixed = [
            (error, outcome)
            for error, outcome in zip(errors, outcomes, strict=True)
            if outcome is not error and not isinstance(outcome, SIGNALS)
        ]
        assert mixed == []

    @pytest.mark.parametrize("run", [lambda: None, lambda: 1 / 0], ids=["success", "failure"])
    def test_message_stays_storable(
        self, make_middleware: MakeMiddleware, run: Callable[[], object]
    ) -> None:
        """A run leaves arguments and id alone, and nothing in ``ctx`` that is no JSON."""
        message = _message()
        before = _identity(message)
        self._outcome(make_middleware(), run, message)
        stored = Message.from_json(message.to_json())

        assert _identity(stored) == before
        assert stored.ctx == message.ctx

    def test_ctx_of_others_stays(self, make_middleware: MakeMiddleware) -> None:
        """A run takes nothing out of ``ctx`` that it did not put there, nor changes it."""
        message = _message()
        message.ctx |= {"tries": 2, "somebody's": ["own"]}
        before = copy.deepcopy(message.ctx)
        self._outcome(make_middleware(), _raising(ValueError("of the task")), message)

        assert {key: message.ctx.get(key) for key in before} == before

    def test_options_are_accepted(self, make_middleware: MakeMiddleware) -> None:
        """The options of ``task_options`` are its own, and their values are accepted."""
        parsers = make_middleware().options

        assert set(self.task_options) <= set(parsers)
        self._task(make_middleware())

    def test_refused_options_raise_value_error(self, make_middleware: MakeMiddleware) -> None:
        """A value that makes no sense is a ValueError when the task is declared."""
        parsers = make_middleware().options
        given = [
            (name, value) for name, values in self.refused_options.items() for value in values
        ]
        accepted = [(name, value) for name, value in given if _accepts(parsers[name], value)]

        assert accepted == []

    def test_parsers_raise_nothing_but_value_error(
        self, make_middleware: MakeMiddleware
    ) -> None:
        """Whatever a user writes, a parser returns a value or raises ValueError."""
        for name, parser in make_middleware().options.items():
            for value in ODD_VALUES:
                try:
                    _accepts(parser, value)
                except Exception as error:
                    pytest.fail(f"{name}={value!r} raised {error!r} instead of a ValueError")

    def test_applies_changes_nothing(self, make_middleware: MakeMiddleware) -> None:
        """``applies`` answers the same each time, and leaves the task as it is."""
        middleware = make_middleware()
        task = self._task(middleware)
        options = copy.copy(dict(task.options))
        answers = {middleware.applies(task) for _ in range(3)}

        assert len(answers) == 1
        assert task.options == options

    def test_applies_to_a_task_that_uses_it(self, make_middleware: MakeMiddleware) -> None:
        """A task with the options of ``task_options`` is not left out."""
        middleware = make_middleware()

        assert middleware.applies(self._task(middleware))

    def test_send_passes(self, make_middleware: MakeMiddleware) -> None:
        """The context of a send is entered and left once, and keeps the message storable."""
        message = _message()
        message.delivery = None
        before = _identity(message)
        sends: list[str] = []
        outcome = self._sending(make_middleware(), lambda: sends.append("sent"), message)

        assert (outcome, sends) == (None, ["sent"])
        assert Message.from_json(message.to_json()) == message
        assert _identity(message) == before, "a send may change nothing but ctx"

    @pytest.mark.parametrize(
        "error", [BrokerUnavailableError("away"), asyncio.CancelledError()], ids=repr
    )
    def test_failed_send_is_not_swallowed(
        self, make_middleware: MakeMiddleware, error: BaseException
    ) -> None:
        """What the broker raises at a send, or its end, reaches the sender as it is."""
        assert self._sending(make_middleware(), _raising(error), _message()) is error

    def test_one_instance_serves_concurrent_sends(
        self, make_middleware: MakeMiddleware
    ) -> None:
        """Sends that overlap, as those of ``send_many``, do not mix."""
        middleware = make_middleware()
        errors = [BrokerUnavailableError(f"send {number}") for number in range(10)]
        outcomes = asyncio.run(self._overlapping(middleware.sending, middleware, errors))

        assert outcomes == errors

    def test_sends_from_several_loops(self, make_middleware: MakeMiddleware) -> None:
        """One instance wraps sends in one event loop after another."""
        middleware = make_middleware()
        outcomes = [self._sending(middleware, _nothing, _message()) for _ in range(2)]

        assert outcomes == [None, None]

    def _task(self, middleware: Middleware) -> Task[..., Any]:
        async def task(name: str, count: int = 0) -> None: ...

        parsers = middleware.options
        options = {
            name: parsers[name](value) if name in parsers else value
            for name, value in self.task_options.items()
        }
        return Task(task, "conformance:task", _Owner(), options)

    def _outcome(
        self, middleware: Middleware, run: Callable[[], object], message: Message | None = None
    ) -> BaseException | None:
        """What one run raises, if anything."""
        context = middleware(message or _message(), self._task(middleware))
        return asyncio.run(_caught(context, run))

    def _sending(
        self, middleware: Middleware, send: Callable[[], object], message: Message
    ) -> BaseException | None:
        """What one send raises, if anything."""
        context = middleware.sending(message, self._task(middleware))
        return asyncio.run(_caught(context, send))

    async def _cancelled(self, middleware: Middleware) -> BaseException | None:
        """What a run raises that is cancelled amid the task, if anything."""
        inside = asyncio.Event()

        async def run() -> None:
            async with middleware(_message(), self._task(middleware)):
                inside.set()
                await asyncio.Event().wait()

        running = asyncio.ensure_future(run())
        await inside.wait()
        running.cancel()
        [outcome] = await asyncio.gather(running, return_exceptions=True)
        return outcome

    async def _overlapping(
        self, wrap: Wrap, middleware: Middleware, errors: Sequence[Exception]
    ) -> Sequence[BaseException | None]:
        task = self._task(middleware)

        async def run(error: Exception) -> None:
            async with wrap(_message(), task):
                for _ in range(10):  # turns of the loop, in which the others enter
                    await asyncio.sleep(0)
                raise error

        return await asyncio.gather(*map(run, errors), return_exceptions=True)


async def _caught(
    context: AbstractAsyncContextManager[None], body: Callable[[], object]
) -> BaseException | None:
    try:
        async with context:
            body()
    except BaseException as error:
        return error
    return None


def _identity(message: Message) -> tuple[object, ...]:
    """All of *message* that no middleware may change; a copy."""
    return copy.deepcopy((message.id, message.task_name, message.args, message.kwargs))


def _accepts(parser: Callable[[Any], Any], value: Any) -> bool:
    try:
        parser(value)
    except ValueError:
        return False
    return True


def _raising(error: BaseException) -> Callable[[], object]:
    def body() -> None:
        raise error

    return body


def _nothing() -> None:
    """The body of a run that succeeds."""


def _message() -> Message:
    """A message as a worker has it: handed out, at its first run."""
    message = Message(("name",), {"count": 1}, "conformance:task")
    at = now()
    message.delivery = Delivery(None, at, at)
    message.ctx["due_at"] = at
    return message
