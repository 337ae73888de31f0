"""What Sentry is told of runs, by a transport that keeps it here."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import sentry_sdk
from sentry_sdk.transport import Transport

from ltq_core.errors import DeferError, RejectError, RetryError
from ltq_core.limits.max_tries import MaxTries
from ltq_core.testing import MiddlewareConformance
from ltq_sentry import Sentry
from ltq_sentry.plugin import is_set_up, ltq_register_middleware
from working import make_worker, work

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sentry_sdk.envelope import Envelope

    from ltq_core.worker import Worker

DSN = "http://key@localhost/1"
SECRET = "hunter2"  # far from the tasks: events hold the lines around a failure


# The search for other frameworks takes the SDK a second.
QUICK: dict[str, Any] = {"dsn": DSN, "auto_enabling_integrations": False}


class Kept(Transport):
    """Keeps events instead of sending them."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.events += [item.payload.json for item in envelope.items if item.type == "event"]

    def types(self) -> list[str]:
        """The exception of each event."""
        return [event["exception"]["values"][-1]["type"] for event in self.events]


@pytest.fixture(autouse=True)
def _no_client_left() -> Iterator[None]:
    """Leave the SDK as it was found: without a client."""
    yield
    sentry_sdk.get_client().close(timeout=0)
    sentry_sdk.get_global_scope().set_client(None)
    sentry_sdk.get_isolation_scope().clear()


@pytest.fixture
def kept() -> Kept:
    return Kept()


class TestContract(MiddlewareConformance):
    @pytest.fixture
    def make_middleware(self):
        return lambda: Sentry(**QUICK, transport=Kept())


def reporting(kept: Kept, **options: Any) -> Worker:
    """A worker that reports to *kept*."""
    sentry = Sentry(**QUICK, transport=kept, **options)
    return make_worker(middlewares=[sentry, MaxTries()])


def test_failure_is_one_event_with_task_and_message(kept: Kept):
    worker = reporting(kept)

    @worker.task
    async def fails() -> None:
        raise ValueError("no")

    message = fails.message()
    work(worker, lambda: fails.send_many([message]))

    [event] = kept.events
    assert kept.types() == ["ValueError"]
    assert event["transaction"] == fails.name
    assert event["tags"] == {"ltq.task": fails.name, "ltq.message_id": message.id}
    assert event["contexts"]["ltq"] == {"tries": 0}


def test_failure_of_a_plain_task_is_an_event(kept: Kept):
    worker = reporting(kept)

    @worker.task
    def fails() -> None:
        raise ValueError("no")

    work(worker, fails.send)

    assert kept.types() == ["ValueError"]


def test_success_is_no_event(kept: Kept):
    worker = reporting(kept)
    work(worker, worker.task(lambda: None).send)

    assert kept.events == []


@pytest.mark.parametrize("kind", [RetryError, DeferError, RejectError])
def test_decision_is_no_event(kept: Kept, kind: type[Exception]):
    worker = reporting(kept)
    runs: list[int] = []

    @worker.task
    async def decides() -> None:
        runs.append(1)
        if len(runs) == 1:
            raise kind

    work(worker, decides.send)

    assert runs
    assert kept.events == []


def test_only_the_last_try_is_an_event_with_its_cause(kept: Kept):
    worker = reporting(kept)

    @worker.task(max_tries=3, backoff=0)
    async def fails() -> None:
        raise ValueError("no")

    work(worker, fails.send)

    [event] = kept.events
    assert kept.types() == ["ValueError"]
    assert event["contexts"]["ltq"] == {"tries": 2}


def test_last_retry_error_is_no_event(kept: Kept):
    worker = reporting(kept)

    @worker.task(max_tries=2)
    async def retries() -> None:
        raise RetryError

    work(worker, retries.send)

    assert kept.events == []


def test_cause_of_the_last_retry_error_is_an_event(kept: Kept):
    worker = reporting(kept)

    @worker.task(max_tries=2)
    async def retries() -> None:
        raise RetryError from ConnectionError("away")

    work(worker, retries.send)

    assert kept.types() == ["ConnectionError"]


def test_failure_that_is_not_retried_is_an_event(kept: Kept):
    worker = reporting(kept)

    @worker.task(max_tries=5, give_up_on=KeyError)
    async def fails() -> None:
        raise KeyError("gone")

    work(worker, fails.send)

    assert kept.types() == ["KeyError"]


def test_exit_of_a_task_is_an_event(kept: Kept):
    worker = reporting(kept)

    @worker.task
    async def leaves() -> None:
        raise SystemExit(3)

    work(worker, leaves.send)

    assert kept.types() == ["SystemExit"]


def test_run_that_is_cut_is_no_event(kept: Kept):
    worker = reporting(kept)

    @worker.task
    async def sleeps() -> None:
        worker.stop()
        await asyncio.sleep(60)

    async def main() -> None:
        await sleeps.send()
        await asyncio.wait_for(worker.run(shutdown_timeout=0.05), 10)

    asyncio.run(main())

    assert kept.events == []


def test_tags_do_not_leak_between_runs(kept: Kept):
    worker = reporting(kept)
    together = asyncio.Barrier(5)

    @worker.task
    async def fails(number: int) -> None:
        sentry_sdk.set_tag(f"number-{number}", str(number))
        sentry_sdk.set_user({"id": str(number)})
        await together.wait()
        raise ValueError(number)

    work(worker, *(lambda number=number: fails.send(number) for number in range(5)))

    found = [
        (event["user"]["id"], [tag for tag in event["tags"] if tag.startswith("number")])
        for event in kept.events
    ]
    assert sorted(found) == [(str(number), [f"number-{number}"]) for number in range(5)]


def test_tags_do_not_leak_out_of_a_run(kept: Kept):
    worker = reporting(kept)

    @worker.task
    async def tags() -> None:
        sentry_sdk.set_tag("inside", "yes")

    work(worker, tags.send)
    sentry_sdk.capture_message("outside")

    assert "inside" not in (kept.events[-1].get("tags") or {})


def test_arguments_are_not_sent(kept: Kept):
    worker = reporting(kept)

    async def fails(value: str) -> None:
        nested = [value]
        raise ValueError(len(nested))

    def fails_in_a_thread(value: str) -> None:
        raise ValueError

    tasks = [worker.task(fails), worker.task(fails_in_a_thread)]
    work(worker, *(lambda task=task: task.send(SECRET) for task in tasks))

    assert len(kept.events) == 2
    assert SECRET not in json.dumps(kept.events)


def test_events_outside_of_runs_keep_their_variables(kept: Kept):
    Sentry(**QUICK, transport=kept)
    value = "kept"
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError as error:
        sentry_sdk.capture_exception(error)

    assert repr(value) in json.dumps(kept.events).replace('"', "")


def test_client_that_was_initialized_is_used(kept: Kept):
    sentry_sdk.init(**QUICK, transport=kept)
    client = sentry_sdk.get_client()
    Sentry()

    assert sentry_sdk.get_client() is client


def test_dsn_that_is_given_wins_over_a_client_that_was_initialized(kept: Kept):
    sentry_sdk.init(**{**QUICK, "dsn": "http://other@localhost/2"}, transport=Kept())
    Sentry(**QUICK, transport=kept)

    assert sentry_sdk.get_client().dsn == DSN


def test_middleware_is_observing_and_asks_whether_it_is_a_default():
    [spec] = ltq_register_middleware()

    assert (spec.name, spec.phase, spec.default) == ("sentry", "observe", is_set_up)


def test_sentry_is_set_up_by_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("SENTRY_DSN", raising=False)
    assert not is_set_up()

    monkeypatch.setenv("SENTRY_DSN", DSN)
    assert is_set_up()


def test_sentry_is_set_up_by_an_initialized_client(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("SENTRY_DSN", raising=False)
    sentry_sdk.init(**QUICK, transport=Kept())

    assert is_set_up()


def names(worker: Worker) -> list[str]:
    return [type(one).__name__ for one in worker.middlewares]


def test_default_stack_has_sentry_outermost_where_it_is_set_up():
    sentry_sdk.init(**QUICK, transport=Kept())

    assert names(make_worker())[:2] == ["Sentry", "MaxTries"]


def test_default_stack_is_without_sentry_elsewhere(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("SENTRY_DSN", raising=False)

    assert "Sentry" not in names(make_worker())


def test_client_that_is_initialized_after_the_worker_joins_its_default_stack(kept: Kept):
    worker = make_worker()
    sentry_sdk.init(**QUICK, transport=kept)

    @worker.task
    async def fails() -> None:
        raise ValueError("no")

    work(worker, fails.send)

    assert names(worker)[0] == "Sentry"
    assert names(worker).count("Sentry") == 1
    assert kept.types() == ["ValueError"]


def test_stack_that_was_given_is_left_alone():
    worker = make_worker(middlewares=[MaxTries()])
    worker.task(lambda: None)
    sentry_sdk.init(**QUICK, transport=Kept())

    async def main() -> None:
        worker.stop()
        await worker.run()

    asyncio.run(main())

    assert names(worker) == ["MaxTries"]


class TestImports:
    """What is imported, in a process of its own."""

    environment: ClassVar[dict[str, str]] = {
        name: value for name, value in os.environ.items() if name != "SENTRY_DSN"
    }

    def test_sdk_is_not_imported_where_it_is_not_used(self):
        source = (
            "import sys; from ltq_core.worker import Worker; Worker('w', 'memory://');"
            "import ltq_sentry; sys.exit('sentry_sdk' in sys.modules)"
        )
        subprocess.run(
            [sys.executable, "-c", source], env=self.environment, timeout=30, check=True
        )
