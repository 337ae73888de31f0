"""`max_age`: by the store's clock alone."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from ltq_core.errors import RejectError
from ltq_core.limits.max_age import MaxAge
from ltq_core.message import Delivery, Message
from ltq_core.testing import MiddlewareConformance
from working import make_worker

FOREVER = float("inf")


class TestContract(MiddlewareConformance):
    task_options: ClassVar[dict[str, Any]] = {"max_age": 60}
    refused_options: ClassVar[dict[str, Any]] = {
        "max_age": [0, -1, True, "1h", None, FOREVER, float("nan"), timedelta(0)]
    }

    @pytest.fixture
    def make_middleware(self):
        return MaxAge


def run(message: Message, **options: Any) -> bool:
    """Whether a message of a task with *options* is run."""
    task = make_worker(middlewares=[MaxAge()]).task(**options)(lambda: None)
    runs: list[int] = []

    async def main() -> None:
        async with MaxAge()(message, task):
            runs.append(1)

    asyncio.run(main())
    return bool(runs)


def claimed(at: float, *, due: float, **ctx: Any) -> Message:
    return Message(ctx=ctx, delivery=Delivery(None, due, at))


@pytest.mark.parametrize("max_age", [60, timedelta(minutes=1)])
def test_message_as_old_as_allowed_is_run(max_age: Any):
    assert run(claimed(160.0, due=100.0), max_age=max_age)


def test_message_that_is_too_old_is_rejected_before_it_is_run():
    with pytest.raises(RejectError, match=r"due 60\.5 s ago, and max_age is 60 s") as caught:
        run(claimed(160.5, due=100.0), max_age=60)

    assert caught.value.kind == "expired"


def test_age_counts_from_when_the_message_was_first_due():
    with pytest.raises(RejectError):
        run(claimed(200.0, due=199.0, due_at=100.0), max_age=60)


def test_age_does_not_count_from_the_creation():
    assert run(claimed(200.0, due=199.0, created_at=0.0), max_age=60)


def test_message_that_no_broker_handed_out_is_run():
    assert run(Message(), max_age=60)


def test_task_without_max_age_pays_nothing():
    worker = make_worker()

    assert not MaxAge().applies(worker.task(lambda: None))
