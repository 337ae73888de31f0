"""Sends within the contexts of middleware, one by one and in bulk."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from contextvars import ContextVar
from traceback import format_exception
from typing import TYPE_CHECKING, Any

import pytest

from fake_site import SoundBroker
from ltq_core.errors import BrokerUnavailableError
from ltq_core.middleware import Middleware
from ltq_core.sends import BULK
from working import make_worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from ltq_core.message import Message
    from ltq_core.task import Task

span: ContextVar[str] = ContextVar("span", default="none")


class Shelf(SoundBroker):
    """Notes how many messages each call brought; takes them only while it is open."""

    def __init__(self) -> None:
        super().__init__("")
        self.calls: list[int] = []
        self.stored: list[Message] = []
        self.away = False
        self.open = asyncio.Event()
        self.open.set()

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        if self.away:
            raise BrokerUnavailableError("nobody answers")
        await self.open.wait()
        self.calls.append(len(messages))
        self.stored += messages


class Spans(Middleware):
    """Keeps what it does in a context variable, and notes what it sees."""

    def __init__(self) -> None:
        self.enter: Callable[[Message], None] = lambda message: None
        self.parents: set[str] = set()
        self.seen: list[BaseException | None] = []

    def __call__(self, message: Message, task: Task[..., Any]) -> Any:
        raise NotImplementedError

    @asynccontextmanager
    async def sending(self, message: Message, task: Task[..., Any]) -> AsyncIterator[None]:
        self.parents.add(span.get())
        token = span.set(message.id)
        await asyncio.sleep(0)
        self.enter(message)
        message.ctx["span"] = span.get()
        try:
            yield
        except BaseException as error:
            self.seen.append(error)
            raise
        else:
            self.seen.append(None)
        finally:
            span.reset(token)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def spans() -> Spans:
    return Spans()


def sending(shelf: Shelf, *middlewares: Middleware) -> Any:
    """A task whose sends *middlewares* wrap."""
    worker = make_worker(middlewares=list(middlewares))
    worker.broker = shelf

    @worker.task
    async def task(number: int) -> None: ...

    return task


def send_many(task: Any, count: int) -> list[str]:
    ids: list[str] = asyncio.run(task.send_many([task.message(n) for n in range(count)]))
    return ids


def test_messages_within_contexts_are_published_together_in_their_order(
    shelf: Shelf, spans: Spans
):
    ids = send_many(sending(shelf, spans), 2 * BULK + 1)

    assert shelf.calls == [BULK, BULK, 1]
    assert [one.id for one in shelf.stored] == ids
    assert [one.args for one in shelf.stored] == [(n,) for n in range(2 * BULK + 1)]


def test_each_message_has_context_variables_of_its_own(shelf: Shelf, spans: Spans):
    send_many(sending(shelf, spans), 10)

    assert spans.parents == {"none"}
    assert [one.ctx["span"] for one in shelf.stored] == [one.id for one in shelf.stored]


def test_each_context_sees_the_failure_of_the_publish(shelf: Shelf, spans: Spans):
    shelf.away = True

    with pytest.raises(BrokerUnavailableError) as raised:
        send_many(sending(shelf, spans), 50)
    assert spans.seen == [raised.value] * 50
    assert len(format_exception(raised.value)) < 50


def test_nothing_is_published_if_one_context_cannot_be_entered(shelf: Shelf, spans: Spans):
    def refuse(message: Message) -> None:
        if message.args == (3,):
            raise PermissionError("not this one")

    spans.enter = refuse

    with pytest.raises(PermissionError) as raised:
        send_many(sending(shelf, spans), 10)
    assert shelf.calls == []
    assert spans.seen == [raised.value] * 9


def test_cancelled_bulk_cancels_each_send(shelf: Shelf, spans: Spans):
    shelf.open.clear()
    task = sending(shelf, spans)

    async def main() -> None:
        async with asyncio.timeout(0.05):
            await task.send_many([task.message(n) for n in range(10)])

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert [type(error) for error in spans.seen] == [asyncio.CancelledError] * 10


def test_timeout_of_a_context_ends_its_own_send_alone(shelf: Shelf, spans: Spans):
    shelf.open.clear()

    class Hasty(Spans):
        @asynccontextmanager
        async def sending(self, message: Message, task: Any) -> AsyncIterator[None]:
            try:
                async with asyncio.timeout(0.01 if message.args == (0,) else None):
                    yield
            except TimeoutError:
                shelf.open.set()
                raise

    task = sending(shelf, Hasty(), spans)

    with pytest.raises(TimeoutError):
        send_many(task, 10)
    assert len(shelf.stored) == 10
    assert [type(error) for error in spans.seen] == [asyncio.CancelledError, *[type(None)] * 9]
