"""What a task may know of the message that it runs."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from ltq_core.message import Delivery, Message
from ltq_core.worker import LastError, current_message
from ltq_core.worker.current import running

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Run:
    """What the worker sets."""

    message: Message
    deadline: datetime | None = None


@contextmanager
def run(message: Message, deadline: datetime | None = None) -> Iterator[None]:
    token = running.set(Run(message, deadline))
    yield
    running.reset(token)


def test_first_run():
    message = Message()
    with run(message):
        current = current_message()

    assert (current.id, current.message, current.attempt) == (message.id, message, 1)
    assert current.last_error is None
    assert current.scheduled_for is None
    assert current.deadline is None
    assert not current.lease_lost


def test_name_and_ctx_are_those_of_the_message():
    message = Message(task_name="github:fetch")
    with run(message):
        current = current_message()
        current.ctx["page"] = 2

    assert current.task_name == "github:fetch"
    assert message.ctx["page"] == 2


def test_later_run_knows_how_the_last_one_failed():
    error = {"type": "ValueError", "text": "no", "time": 86_400.5}
    with run(Message(ctx={"tries": 2, "last_error": error})):
        current = current_message()

    assert current.attempt == 3
    assert current.last_error == LastError(
        "ValueError", "no", datetime(1970, 1, 2, 0, 0, 0, 500_000, UTC)
    )


def test_tick_of_the_schedule_is_an_aware_time():
    with run(Message(ctx={"scheduled_for": 86_400})):
        assert current_message().scheduled_for == datetime(1970, 1, 2, tzinfo=UTC)


def test_deadline_is_that_of_the_run():
    deadline = datetime(2030, 1, 1, tzinfo=UTC)
    with run(Message(), deadline):
        assert current_message().deadline == deadline


def test_lost_lease_shows_at_once():
    message = Message(delivery=Delivery(None, 0.0, 0.0))
    assert message.delivery is not None
    with run(message):
        current = current_message()
        assert not current.lease_lost
        message.delivery.lease_lost = True
        assert current.lease_lost


def test_outside_of_a_run_there_is_no_message():
    with pytest.raises(RuntimeError, match="only inside a running task"):
        current_message()
