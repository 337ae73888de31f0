"""What is checked and arranged before the first message."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from fake_site import SoundBroker
from ltq_core.abilities import QueueLimits, Rate
from ltq_core.errors import BrokerUnavailableError, ConfigurationError, UnknownOptionError
from ltq_core.limits.max_concurrency import MaxConcurrency
from ltq_core.limits.max_rate import MaxRate
from ltq_core.testing import run_virtual, wait_until
from ltq_core.worker.prepare import Prepared
from working import make_worker

if TYPE_CHECKING:
    from ltq_core.message import Message
    from ltq_core.middleware import Middleware
    from ltq_core.worker import Worker


class Limiter(SoundBroker):
    """Shares limits, once it answers."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__("")
        self.failures = failures
        self.limits: dict[str, QueueLimits] = {}

    async def set_limits(self, queue: str, limits: QueueLimits) -> None:
        if self.failures:
            self.failures -= 1
            raise BrokerUnavailableError("nobody answers")
        self.limits[queue] = limits

    async def consume(self, queue: str) -> Message:
        await asyncio.Event().wait()
        raise AssertionError


def nothing() -> None: ...


def prepared(*middlewares: Middleware, **options: Any) -> Prepared:
    """One task, about to run in a stack of *middlewares*."""
    return Prepared([make_worker().task(**options)(nothing)], middlewares)


def test_unknown_option_is_an_error():
    with pytest.raises(UnknownOptionError):
        prepared(max_trys=3).check(SoundBroker(""))


def test_unknown_option_is_a_warning_where_only_messages_are_sent(
    caplog: pytest.LogCaptureFixture,
):
    prepared(max_trys=3).warn()

    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert "unknown option 'max_trys'" in record.getMessage()


def test_annotation_that_never_resolves_is_an_error():
    def task(user: Absent) -> None: ...  # noqa: F821

    preparing = Prepared([make_worker().task(task)], [])

    with pytest.raises(ConfigurationError, match="user"):
        preparing.check(SoundBroker(""))


def test_option_without_its_middleware_is_a_warning(caplog: pytest.LogCaptureFixture):
    prepared(max_tries=3, timeout=5).check(SoundBroker(""))

    [record] = caplog.records
    assert "max_tries of task 'test:nothing' has no effect" in record.getMessage()


def test_limits_of_a_broker_that_shares_none_are_a_warning(caplog: pytest.LogCaptureFixture):
    prepared(MaxRate(), max_rate="1/s").check(SoundBroker(""))

    [record] = caplog.records
    assert "SoundBroker offers no shared limits: those of test:nothing hold for this" in (
        record.getMessage()
    )
    assert "memory" in record.getMessage()


@pytest.mark.parametrize(("broker", "options"), [
    (Limiter(), {"max_rate": "1/s"}),
    (SoundBroker(""), {}),
])  # fmt: skip
def test_nothing_to_say_is_no_warning(
    caplog: pytest.LogCaptureFixture, broker: SoundBroker, options: dict[str, Any]
):
    prepared(MaxRate(), **options).check(broker)

    assert caplog.text == ""


def test_limits_of_a_task_are_handed_to_its_broker_together():
    broker = Limiter()
    preparing = prepared(MaxRate(), MaxConcurrency(), max_rate="4/s", max_concurrency=5)
    asyncio.run(preparing.share_limits(broker))

    assert broker.limits == {"test:nothing": QueueLimits(Rate(0.25), 5)}


def test_task_without_limits_takes_back_those_of_an_earlier_start():
    broker = Limiter()
    asyncio.run(prepared(MaxRate()).share_limits(broker))

    assert broker.limits == {"test:nothing": QueueLimits()}


def test_broker_that_shares_no_limits_gets_none():
    asyncio.run(prepared(MaxRate(), max_rate="4/s").share_limits(SoundBroker("")))


def limited_worker(failures: int) -> Worker:
    worker = make_worker()
    worker.broker = Limiter(failures)
    worker.task(max_rate="4/s")(nothing)
    return worker


def test_broker_that_goes_away_gets_its_limits_when_it_is_back():
    worker = limited_worker(3)
    broker: Any = worker.broker

    async def main() -> None:
        run = asyncio.create_task(worker.run())
        await wait_until(lambda: broker.limits, 30, "the limits are set")
        worker.stop()
        await run

    run_virtual(main())


def test_worker_stops_while_a_broker_does_not_take_its_limits():
    worker = limited_worker(1_000_000)
    broker: Any = worker.broker

    async def main() -> None:
        run = asyncio.create_task(worker.run())
        await wait_until(lambda: broker.failures < 999_995, 30, "some attempts")
        worker.stop()
        await asyncio.wait_for(run, 5)

    run_virtual(main())
