"""What ``ltq run`` says at its start."""

from __future__ import annotations

import asyncio
import io
from contextlib import asynccontextmanager, redirect_stderr
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import ltq
from fake_site import FakeSite, SoundBroker, offering
from ltq_core.cli import banner
from ltq_core.cli.banner import print_banner
from ltq_core.errors import BrokerUnavailableError
from ltq_core.middleware import Middleware
from ltq_memory.broker import MemoryBroker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ltq_core.message import Message
    from ltq_core.task import Task

LONG = [f"a_task_with_a_name_as_long_as_this_one_{number}" for number in range(25)]


class Terminal(io.StringIO):
    """Something that shows colours."""

    def isatty(self) -> bool:
        return True


class Outer(Middleware):
    @asynccontextmanager
    async def __call__(self, message: Message, task: Task[Any, Any]) -> AsyncIterator[None]:
        yield


class AwayBroker(SoundBroker):
    async def size(self, queue: str) -> int:
        raise BrokerUnavailableError("Nobody answers.")


class SilentBroker(SoundBroker):
    async def size(self, queue: str) -> int:
        await asyncio.Event().wait()
        return 0


def said(
    *workers: ltq.Worker,
    schedulers: tuple[ltq.Scheduler, ...] = (),
    stderr: io.StringIO | None = None,
) -> str:
    """What the banner prints about them."""
    stderr = stderr or io.StringIO()
    with redirect_stderr(stderr):
        print_banner(workers, schedulers)
    return stderr.getvalue()


@pytest.fixture
def worker() -> ltq.Worker:
    worker = ltq.Worker("github", broker_url="memory://")
    worker.broker = MemoryBroker()
    return worker


def add_task(worker: ltq.Worker, name: str = "fetch", **options: Any) -> ltq.Task[[], None]:
    async def function() -> None: ...

    function.__qualname__ = name
    task: ltq.Task[[], None] = worker.task(**options)(function)
    return task


def test_banner_names_version_worker_and_concurrency(worker: ltq.Worker) -> None:
    lines = said(worker).splitlines()

    assert lines[0] == f"LTQ {ltq.__version__}"
    assert lines[1] == "Worker      github, concurrency 100"


def test_banner_masks_the_password_of_the_broker() -> None:
    text = said(ltq.Worker("github", broker_url="redis://me:secret@127.0.0.1:1/0"))

    assert "Broker      redis://me:***@127.0.0.1:1/0\n" in text
    assert "secret" not in text


def test_banner_lists_tasks_with_their_queues_and_options(worker: ltq.Worker) -> None:
    task = add_task(worker, max_tries=3, max_age=timedelta(hours=1), max_rate="100/m;burst=20")
    add_task(worker, "star")
    task.send_sync()
    task.send_sync()

    text = said(worker)

    assert "Tasks       github:fetch  2 waiting  max_tries=3 max_age=3600" in text
    assert "            github:star   0 waiting\n" in text


@pytest.mark.parametrize("rate", ["10/s", "7/m", "100/h", "1000/m", "7/s;burst=3"])
def test_banner_shows_a_rate_as_it_was_declared(worker: ltq.Worker, rate: str) -> None:
    add_task(worker, max_rate=rate)

    assert f"max_rate={rate}\n" in said(worker)


def test_banner_shows_classes_and_functions_by_name(worker: ltq.Worker) -> None:
    def later(tries: int, error: BaseException) -> float:
        return 1.0

    add_task(worker, max_tries=2, retry_on=(OSError, ValueError), backoff=later)

    assert "retry_on=OSError,ValueError backoff=later" in " ".join(said(worker).split())


def test_banner_shows_a_constant_backoff_as_its_seconds(worker: ltq.Worker) -> None:
    add_task(worker, max_tries=2, backoff=timedelta(minutes=1.5))

    assert "max_tries=2 backoff=90\n" in said(worker)


def test_banner_lists_middleware_outermost_first(worker: ltq.Worker) -> None:
    worker.middlewares[:] = [Outer(), ltq.MaxTries()]

    assert "Middleware  Outer > MaxTries\n" in said(worker)


def test_banner_lists_plugins_with_their_versions(worker: ltq.Worker, site: FakeSite) -> None:
    site.add("ltq-nats", {"nats": offering("nats")})
    site.add("ltq-bad", {"bad": "1 / 0"})
    site.use()

    assert "Plugins     nats 1.0\n" in said(worker)


def test_banner_of_several_workers_has_a_part_for_each(worker: ltq.Worker) -> None:
    text = said(worker, ltq.Worker("emails", broker_url="memory://"))

    assert text.index("Worker      github") < text.index("Worker      emails")


def test_banner_of_a_scheduler_lists_its_jobs_and_names_the_time_zone(
    worker: ltq.Worker,
) -> None:
    scheduler = ltq.Scheduler("memory://")
    message = add_task(worker).message()
    scheduler.cron("0 0 1 1 *", message)
    scheduler.at(datetime(2020, 1, 1, tzinfo=UTC), message)

    text = said(schedulers=(scheduler,))

    year = datetime.now(UTC).year + 1
    assert "Scheduler   memory://\n" in text
    assert f"Jobs        {year}-01-01 00:00:00 UTC  github:fetch [0 0 1 1 * UTC]\n" in text
    assert "            at once                  github:fetch [at 2020-01-01" in text
    assert "Time zone   UTC, for cron lines without one\n" in text


def test_banner_leaves_out_sizes_where_the_broker_is_away(worker: ltq.Worker) -> None:
    worker.broker = AwayBroker("away://")
    add_task(worker)

    assert "Tasks       github:fetch\n" in said(worker)


def test_broker_that_does_not_answer_delays_the_banner_only_briefly(
    worker: ltq.Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(banner, "PATIENCE", 0.05)
    worker.broker = SilentBroker("silent://")
    add_task(worker)

    assert "Tasks       github:fetch\n" in said(worker)


def test_banner_fits_into_80_columns(
    worker: ltq.Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for name in LONG[:3]:
        add_task(worker, name, max_tries=3, max_age=3600, max_rate="10/s", timeout=30)

    assert max(map(len, said(worker).splitlines())) <= 80


def test_banner_breaks_no_line_within_a_name_a_count_or_a_rule(
    worker: ltq.Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    scheduler = ltq.Scheduler("memory://")
    task = add_task(
        worker, "a_task_with_a_name_that_is_nearly_as_long_as_one_line_is", max_tries=3
    )
    scheduler.cron("0 4 * * 1-5", task.message())

    text = said(worker, schedulers=(scheduler,))

    assert "\n              0 waiting  max_tries=3\n" in text
    assert "\n              [0 4 * * 1-5 UTC]\n" in text


def test_banner_counts_the_tasks_beyond_twenty(worker: ltq.Worker) -> None:
    for name in LONG:
        add_task(worker, name)

    text = said(worker)

    assert text.count("0 waiting") == 20
    assert "            and 5 more\n" in text


def test_banner_has_colours_only_on_a_terminal(worker: ltq.Worker) -> None:
    assert "\x1b[" in said(worker, stderr=Terminal())
    assert "\x1b[" not in said(worker)


def test_no_color_is_respected_on_a_terminal(
    worker: ltq.Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    assert "\x1b[" not in said(worker, stderr=Terminal())
