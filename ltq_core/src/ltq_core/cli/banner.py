"""What ``ltq run`` says at its start, on stderr."""

from __future__ import annotations

import asyncio
import os
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ltq_core import __version__
from ltq_core.abilities import Rate
from ltq_core.cli.table import columns, flat, glued, wrapped
from ltq_core.cli.toolkit import click
from ltq_core.errors import BrokerError
from ltq_core.logger import printable, redact
from ltq_core.plugins import current

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ltq_core.scheduler import Job, Scheduler
    from ltq_core.task import Task
    from ltq_core.worker import Worker

# How long the queues' sizes may hold up the start, in seconds: a near broker answers in
# milliseconds, and one that is away is nothing to wait for here.
PATIENCE = 1.0

_LABEL = 12  # the width of the widest label, and two spaces
_MOST = 20  # tasks or jobs that are listed; the rest is counted
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def print_banner(workers: Sequence[Worker], schedulers: Sequence[Scheduler]) -> None:
    """Print what is about to run, to stderr."""
    lines = list(_lines(workers, schedulers))
    colour = False if os.environ.get("NO_COLOR") else None  # None: where it is a terminal
    click.echo(click.style(f"LTQ {__version__}", bold=True), err=True, color=colour)
    for label, text in lines:
        first, *rest = wrapped(text or "none", _width(), "  ")
        click.echo(click.style(label.ljust(_LABEL), dim=True) + first, err=True, color=colour)
        for line in rest:
            click.echo(" " * _LABEL + line, err=True)


def _width() -> int:
    return min(shutil.get_terminal_size().columns, 100) - _LABEL


def _lines(
    workers: Sequence[Worker], schedulers: Sequence[Scheduler]
) -> Iterator[tuple[str, str]]:
    sizes = asyncio.run(_sizes(workers))
    for worker in workers:
        yield from _about_worker(worker, sizes)
    for scheduler in schedulers:
        yield from _about_scheduler(scheduler)
    loaded = [plugin for plugin in current().found.plugins if plugin.implementation]
    named = [f"{plugin.name} {plugin.version}" for plugin in loaded]
    yield "Plugins", ", ".join(glued(text, _width()) for text in named)


def _about_worker(worker: Worker, sizes: dict[str, int]) -> Iterator[tuple[str, str]]:
    yield "Worker", f"{worker.name}, concurrency {worker.concurrency}"
    yield "Broker", redact(worker.broker_url)
    tasks = [_about_task(task, sizes.get(task.name)) for task in worker.tasks.values()]
    yield from _listed("Tasks", tasks)
    yield "Middleware", " > ".join(type(one).__name__ for one in worker.middlewares)


def _about_scheduler(scheduler: Scheduler) -> Iterator[tuple[str, str]]:
    yield "Scheduler", redact(scheduler.broker_url)
    yield from _listed("Jobs", [_about_job(job) for job in scheduler.jobs])
    if any(job.timezone == "UTC" for job in scheduler.jobs):
        yield "Time zone", "UTC, for cron lines without one"


def _listed(label: str, rows: Sequence[Sequence[str]]) -> Iterator[tuple[str, str]]:
    lines = _rows(rows[:_MOST]) if rows else ["none"]
    if len(rows) > _MOST:
        lines.append(f"and {len(rows) - _MOST} more")
    yield from zip([label, *[""] * (len(lines) - 1)], lines, strict=True)


def _rows(rows: Sequence[Sequence[str]]) -> list[str]:
    # The last cell may be folded; columns need room for the others.
    if max(map(len, columns([row[:-1] for row in rows]))) > _width():
        return [flat(row, _width()) for row in rows]
    return columns(rows)


def _about_task(task: Task[Any, Any], size: int | None) -> tuple[str, str, str]:
    waiting = "" if size is None else f"{size} waiting"
    options = " ".join(f"{name}={_value(value)}" for name, value in task.options.items())
    return task.name, waiting, options


def _about_job(job: Job) -> tuple[str, str]:
    tick = job.next(datetime.now(UTC))
    name, _, rule = str(job).rpartition(" [")
    when = f"{tick:%Y-%m-%d %H:%M:%S} UTC" if tick else "at once"
    return when, f"{name} {glued(f'[{rule}', _width())}"


def _value(value: object) -> str:
    if isinstance(value, Rate):
        return _rate(value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return ",".join(map(_value, value))
    return printable(getattr(value, "__name__", value), 40)


def _rate(rate: Rate) -> str:
    """*rate* as it is declared, in the shortest unit that makes its number a whole one."""
    counts = {unit: seconds / rate.interval for unit, seconds in _UNITS.items()}
    whole = [unit for unit, count in counts.items() if abs(count - round(count)) < 1e-6]
    unit = whole[0] if whole else "h"
    burst = f";burst={rate.burst}" if rate.burst > 1 else ""
    return f"{counts[unit]:g}/{unit}{burst}"


async def _sizes(workers: Sequence[Worker]) -> dict[str, int]:
    """The sizes of all queues whose broker answers in time."""
    asked = await asyncio.gather(*map(_sizes_of, workers))
    return {queue: size for sizes in asked for queue, size in sizes.items()}


async def _sizes_of(worker: Worker) -> dict[str, int]:
    try:
        async with asyncio.timeout(PATIENCE):
            sizes = await asyncio.gather(*map(worker.broker.size, worker.tasks))
        await worker.broker.close()
    except (BrokerError, TimeoutError):
        return {}  # the worker, which waits for its broker, says what is wrong
    return dict(zip(worker.tasks, sizes, strict=True))
