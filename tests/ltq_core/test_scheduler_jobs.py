"""Jobs: their ticks, their messages, their identity, and what they are owed."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from ltq_core.errors import ConfigurationError, EncodeError, OptionValueError
from ltq_core.message import Message
from ltq_core.scheduler import Job, Scheduler
from ltq_core.scheduler.owed import LIMIT, latest, missed

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = (
    timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days")
)


def message(*args: object, task: str = "mail:digest", **kwargs: object) -> Message:
    return Message(args, kwargs, task)


def every(interval: timedelta, missed: str = "latest") -> Job:
    return Scheduler("memory://").every(interval, message(), missed=missed)  # type: ignore[arg-type]


def cron(expr: str, missed: str = "latest") -> Job:
    return Scheduler("memory://").cron(expr, message(), missed=missed)  # type: ignore[arg-type]


def at(when: datetime) -> Job:
    return Scheduler("memory://").at(when, message())


# Ticks


@pytest.mark.parametrize(
    ("interval", "after", "expected"),
    [
        (timedelta(minutes=5), NOW, NOW + timedelta(minutes=5)),
        (timedelta(minutes=5), NOW - timedelta(microseconds=1), NOW),
        (timedelta(seconds=0.1), NOW, NOW + timedelta(milliseconds=100)),
        (timedelta(days=7), NOW, datetime(2026, 3, 5, tzinfo=UTC)),
        (
            timedelta(days=1),
            datetime(1969, 12, 30, 1, tzinfo=UTC),
            datetime(1969, 12, 31, tzinfo=UTC),
        ),
    ],
)
def test_every_ticks_at_multiples_of_its_interval_since_the_epoch(
    interval: timedelta, after: datetime, expected: datetime
) -> None:
    assert every(interval).next(after) == expected


def test_ticks_of_an_odd_interval_never_drift() -> None:
    interval = timedelta(microseconds=333_333)
    job = every(interval)

    tick = NOW
    for _ in range(1000):
        tick = job.next(tick)  # type: ignore[assignment]

    assert (tick - datetime.fromtimestamp(0, UTC)) % interval == timedelta(0)
    assert timedelta(0) <= tick - NOW - 999 * interval <= interval


def test_a_tick_survives_its_way_through_float_seconds() -> None:
    tick = every(timedelta(microseconds=333_333)).next(NOW)

    assert tick is not None
    assert datetime.fromtimestamp(tick.timestamp(), UTC) == tick


def test_at_has_one_tick() -> None:
    job = at(datetime(2026, 3, 1, 13, tzinfo=ZoneInfo("Europe/Berlin")))

    assert job.next(NOW - DAY) == NOW
    assert job.next(NOW) is None


# Messages


def test_every_tick_is_a_new_message() -> None:
    job = every(MINUTE)

    first, second = job.message(NOW, 5.0), job.message(NOW + MINUTE, 6.0)

    assert first.id != second.id
    assert (first.ctx["created_at"], second.ctx["created_at"]) == (5.0, 6.0)
    assert first.ctx["scheduled_for"] == NOW.timestamp()


def test_message_carries_arguments_and_ctx_of_its_template() -> None:
    template = message(1, task="a:b", to=["x"])
    template.ctx["rate_key"] = "7"

    sent = Scheduler("memory://").every(MINUTE, template).message(NOW, 5.0)

    assert (sent.args, sent.kwargs, sent.task_name) == ((1,), {"to": ["x"]}, "a:b")
    assert sent.ctx["rate_key"] == "7"


def test_template_is_neither_changed_nor_followed() -> None:
    template = message(to=["x"])
    before = template.to_json()
    job = Scheduler("memory://").every(MINUTE, template)

    job.message(NOW, 5.0).kwargs["to"].append("y")

    assert template.to_json() == before
    template.kwargs["to"].append("z")
    assert job.message(NOW, 5.0).kwargs == {"to": ["x"]}


def test_all_schedulers_send_the_same_id_for_a_tick() -> None:
    assert every(MINUTE).message(NOW, 1.0).id == every(MINUTE).message(NOW, 2.0).id


def test_jobs_of_one_tick_send_different_ids() -> None:
    scheduler = Scheduler("memory://")
    jobs = [
        scheduler.every(MINUTE, message()),
        scheduler.every(MINUTE, message(1)),
        scheduler.every(MINUTE, message(), name="named"),
        scheduler.every(2 * MINUTE, message()),
    ]

    assert len({job.message(NOW, 1.0).id for job in jobs}) == len(jobs)


# Identity


def test_identity_is_the_name_where_there_is_one() -> None:
    assert (
        Scheduler("memory://").cron("0 9 * * *", message(), name="digest").identity == "digest"
    )


def test_identity_is_the_same_in_every_process() -> None:
    code = (
        "from ltq_core.message import Message\n"
        "from ltq_core.scheduler import Scheduler\n"
        "m = Message((1,), {'b': 2, 'a': [None]}, 'mail:digest')\n"
        "print(Scheduler().cron('0 9 * * *', m, timezone='Europe/Berlin').identity)"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }

    here = Scheduler().cron("0 9 * * *", message(1, a=[None], b=2), timezone="Europe/Berlin")
    assert runs == {here.identity}


def test_identity_tells_task_rule_zone_and_arguments_apart() -> None:
    scheduler = Scheduler("memory://")
    scheduler.cron("0 9 * * *", message())
    scheduler.cron("0 9 * * *", message(task="mail:other"))
    scheduler.cron("0 10 * * *", message())
    scheduler.cron("0 9 * * *", message(), timezone="Europe/Berlin")
    scheduler.cron("0 9 * * *", message("a"))
    scheduler.cron("0 9 * * *", message(to="a"))
    scheduler.every(HOUR, message())
    scheduler.at(NOW, message())
    scheduler.at(NOW + SECOND, message())

    assert len({job.identity for job in scheduler.jobs}) == 9


@pytest.mark.parametrize("missed", ["latest", "skip"])
def test_two_jobs_of_one_identity_are_an_error(missed: str) -> None:
    scheduler = Scheduler("memory://")
    scheduler.cron("0 9 * * *", message())

    with pytest.raises(ConfigurationError, match="one and the same"):
        scheduler.cron("0  9 * * *", message(), timezone="UTC", missed=missed)  # type: ignore[arg-type]


def test_two_jobs_of_one_name_are_an_error() -> None:
    scheduler = Scheduler("memory://")
    scheduler.every(HOUR, message(), name="digest")

    with pytest.raises(ConfigurationError, match=r"digest.*another name="):
        scheduler.at(NOW, message(task="a:b"), name="digest")


def test_one_instant_in_two_zones_is_one_job() -> None:
    scheduler = Scheduler("memory://")
    scheduler.at(NOW, message())

    with pytest.raises(ConfigurationError, match="one and the same"):
        scheduler.at(NOW.astimezone(timezone(HOUR)), message())


# Declaration


@pytest.mark.parametrize(
    ("declare", "error", "text"),
    [
        (lambda s: s.cron("61 * * * *", message()), OptionValueError, "61"),
        (lambda s: s.cron("* * * * *", message(), timezone="X/Y"), OptionValueError, "X/Y"),
        (lambda s: s.every(timedelta(0), message()), OptionValueError, "more than nothing"),
        (lambda s: s.every(5, message()), OptionValueError, "takes a timedelta"),
        (lambda s: s.at(NOW.replace(tzinfo=None), message()), OptionValueError, "its tzinfo"),
        (lambda s: s.at("2026-01-01", message()), OptionValueError, "aware datetime"),
        (lambda s: s.every(HOUR, message(), missed="none"), OptionValueError, "'latest'"),
        (lambda s: s.every(HOUR, message(), name=""), OptionValueError, "printable"),
        (lambda s: s.every(HOUR, message(), name="a\nb"), OptionValueError, "printable"),
        (lambda s: s.every(HOUR, len), ConfigurationError, "not builtin_function_or_method"),
        (lambda s: s.every(HOUR, message(task="")), ConfigurationError, "task.message"),
        (lambda s: s.every(HOUR, message(object())), EncodeError, "mail:digest"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_an_error_when_it_is_declared(
    declare: object, error: type[Exception], text: str
) -> None:
    scheduler = Scheduler("memory://")

    with pytest.raises(error, match=text):
        declare(scheduler)  # type: ignore[operator]
    assert scheduler.jobs == ()


@pytest.mark.parametrize("interval", [0, -1, float("nan"), float("inf")])
def test_poll_interval_must_be_a_time(interval: float) -> None:
    with pytest.raises(OptionValueError, match="poll_interval"):
        Scheduler("memory://", poll_interval=interval)


def test_jobs_say_what_they_are() -> None:
    scheduler = Scheduler("memory://")
    scheduler.cron("0 9 * * *", message(), timezone="Europe/Berlin", name="digest")
    scheduler.every(timedelta(minutes=5), message(), missed="skip")
    scheduler.at(NOW, message())

    assert [(job.kind, job.rule, job.timezone, job.missed) for job in scheduler.jobs] == [
        ("cron", "0 9 * * *", "Europe/Berlin", "latest"),
        ("every", "every 0:05:00", None, "skip"),
        ("at", "at 2026-03-01T12:00:00+00:00", None, "all"),
    ]
    assert str(scheduler.jobs[0]) == "digest: mail:digest [0 9 * * * Europe/Berlin]"


# What is owed at a start


@pytest.mark.parametrize(
    ("job", "last", "expected"),
    [
        # Never sent before: it starts now.
        (every(HOUR), None, []),
        (every(HOUR, "all"), None, []),
        # Nothing was missed; a tick of this very instant was.
        (every(HOUR), NOW, []),
        (every(HOUR), NOW - HOUR, [NOW]),
        # latest: one, if it is younger than a day.
        (every(HOUR), NOW - 5 * HOUR, [NOW]),
        (every(HOUR), NOW - 900 * DAY, [NOW]),
        (cron("0 11 * * *"), NOW - 5 * DAY, [NOW - HOUR]),
        (cron("1 12 * * *"), NOW - 5 * DAY, [NOW - DAY + MINUTE]),
        (cron("0 0 1 2 *"), NOW - 90 * DAY, []),
        (cron("* * * * * *"), NOW - 900 * DAY, [NOW]),
        # skip: none.
        (every(HOUR, "skip"), NOW - 5 * HOUR, []),
        # all: in order, and the latest thousand.
        (every(HOUR, "all"), NOW - 3 * HOUR, [NOW - 2 * HOUR, NOW - HOUR, NOW]),
        (cron("0 11 * * *", "all"), NOW - 2 * DAY, [NOW - DAY - HOUR, NOW - HOUR]),
        (every(SECOND, "all"), NOW - 900 * DAY, [NOW - n * SECOND for n in range(999, -1, -1)]),
        (cron("0 0 1 * *", "all"), NOW - 59 * DAY,
         [datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)]),
        # The store's clock was set back: what was sent was sent.
        (every(HOUR, "all"), NOW + DAY, []),
        # at: once, however long ago.
        (at(NOW - 900 * DAY), None, [NOW - 900 * DAY]),
        (at(NOW), None, [NOW]),
        (at(NOW + SECOND), None, []),
        (at(NOW - DAY), NOW - DAY, []),
        (at(NOW - DAY), NOW - 2 * DAY, [NOW - DAY]),
        (at(NOW - DAY), NOW, []),
    ],
)  # fmt: skip
def test_what_a_job_is_owed_at_a_start(
    job: Job, last: datetime | None, expected: list[datetime]
) -> None:
    assert missed(job, last, NOW) == expected


def test_latest_finds_ticks_that_come_in_bursts() -> None:
    job = cron("* 9 1 1 *")  # sixty minutes a year

    found = latest(job, NOW - 3000 * DAY, NOW, 90)

    day = datetime(2026, 1, 1, 9, tzinfo=UTC)
    last_year = [day.replace(year=2025) + n * MINUTE for n in range(30, 60)]
    assert found == last_year + [day + n * MINUTE for n in range(60)]


def test_no_more_than_a_thousand_are_owed_after_years_of_seconds() -> None:
    found = latest(cron("* * * * * *"), datetime(1, 1, 1, tzinfo=UTC), NOW, LIMIT)

    assert (len(found), found[-1]) == (1000, NOW)
