"""``ltq schedule``: what a scheduler would send, and when."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from ltq_core.cli.options import broker_url_option, json_option
from ltq_core.cli.toolkit import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ltq_core.scheduler import Job


@click.group()
def schedule() -> None:
    """See what a scheduler sends, and when; nothing is sent."""


@schedule.command("list")
@click.argument("target", metavar="MODULE:SCHEDULER")
@json_option
@broker_url_option
def list_jobs(target: str, as_json: bool) -> None:
    """List the jobs of a scheduler."""
    from ltq_core.cli.output import print_json, print_table

    jobs = [(job, next(_ticks(job, datetime.now(UTC)), None)) for job in _jobs(target)]
    if as_json:
        print_json([_plain(job) | {"next": tick and tick.isoformat()} for job, tick in jobs])
    elif jobs:
        rows = [(*_cells(job), _shown(tick) if tick else "-") for job, tick in jobs]
        print_table([("TASK", "RULE", "TIME ZONE", "NAME", "NEXT"), *rows])
    else:
        click.echo("The scheduler has no job.", err=True)


def _instant(ctx: click.Context, option: click.Parameter, text: str | None) -> datetime:
    try:
        instant = datetime.now(UTC) if text is None else datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"'{text}' is no date and time like '2026-03-29T01:30:00+01:00'."
        ) from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


@schedule.command("next")
@click.argument("target", metavar="MODULE:SCHEDULER")
@click.option(
    "-n",
    "count",
    type=click.IntRange(1, 1000),
    default=5,
    show_default=True,
    help="How many ticks to show of each job.",
)
@click.option(
    "--after",
    metavar="ISO",
    callback=_instant,
    help="Show what comes after this instant, in UTC unless it says otherwise.  [default: now]",
)
@json_option
@broker_url_option
def next_ticks(target: str, count: int, after: datetime, as_json: bool) -> None:
    """Show the next ticks of all jobs, in the order of time."""
    from ltq_core.cli.output import print_json, print_table

    found = [(tick, job) for job in _jobs(target) for tick in islice(_ticks(job, after), count)]
    found.sort(key=lambda one: one[0])
    if as_json:
        print_json([{"tick": tick.isoformat()} | _plain(job) for tick, job in found])
    elif found:
        rows = [(_shown(tick), *_cells(job)) for tick, job in found]
        print_table([("TICK", "TASK", "RULE", "TIME ZONE", "NAME"), *rows])
    else:
        click.echo("Nothing comes after that.", err=True)


def _jobs(target: str) -> tuple[Job, ...]:
    from ltq_core.cli.target import load_target

    jobs: tuple[Job, ...] = load_target(target, "scheduler").jobs
    return jobs


def _ticks(job: Job, after: datetime) -> Iterator[datetime]:
    try:
        while (tick := job.next(after)) is not None:
            yield tick
            after = tick
    except OverflowError:
        return  # the calendar ends with the year 9999


def _plain(job: Job) -> dict[str, Any]:
    return {
        "task": job.task_name,
        "kind": job.kind,
        "rule": job.rule,
        "timezone": job.timezone,
        "name": job.name,
        "identity": job.identity,
        "missed": job.missed,
    }


def _cells(job: Job) -> tuple[str, str, str, str]:
    return job.task_name, job.rule, job.timezone or "-", job.name or "-"


def _shown(tick: datetime) -> str:
    return f"{tick:%Y-%m-%d %H:%M:%S} UTC"
