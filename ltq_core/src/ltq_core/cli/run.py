"""``ltq run``."""

from __future__ import annotations

import math
from typing import Any

from ltq_core.cli.options import broker_url_option
from ltq_core.cli.toolkit import click

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class Seconds(click.FloatRange):
    """A finite number of seconds, 0 or more."""

    name = "seconds"

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """As `click.FloatRange`, without infinity and NaN."""
        seconds = super().convert(value, param, ctx)
        if not math.isfinite(seconds):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return seconds


@click.command()
@click.argument("target", metavar="MODULE:OBJECT")
@click.option("--app", "as_app", is_flag=True, help="Insist that it is an app.")
@click.option(
    "--scheduler", "beside", metavar="MODULE:OBJECT", help="A scheduler to run beside it."
)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many runs a worker has at once, whatever it declares.",
)
@click.option(
    "--log-level",
    type=click.Choice(LEVELS, case_sensitive=False),
    metavar="LEVEL",
    default="INFO",
    show_default=True,
    help="Log this and worse: debug, info, warning, error or critical.",
)
@click.option(
    "--shutdown-timeout",
    type=Seconds(),
    metavar="SECONDS",
    default=25.0,
    show_default=True,
    help="How long running tasks may take to finish after a signal.",
)
@click.option(
    "--connect-timeout",
    type=Seconds(),
    metavar="SECONDS",
    help="How long to wait for a broker that is away at the start.  [default: for ever]",
)
@broker_url_option
def run(
    target: str,
    as_app: bool,
    beside: str | None,
    concurrency: int | None,
    log_level: str,
    shutdown_timeout: float,
    connect_timeout: float | None,
) -> None:
    """Run a worker, an app or a scheduler.

    SIGTERM or SIGINT (Ctrl-C) lets running tasks finish and gives back the rest; a second
    one exits at once. The current directory is importable.
    """
    from ltq_core.cli.banner import print_banner
    from ltq_core.cli.crew import Crew
    from ltq_core.cli.serve import serve
    from ltq_core.cli.signals import Wakeups
    from ltq_core.logger import configure_logging, get_logger
    from ltq_core.plugins import warn_broken

    configure_logging(log_level)
    with Wakeups() as wakeups:
        crew = Crew.load(target, beside, as_app=as_app)
        if concurrency is not None:
            crew.limit(concurrency)
        print_banner(crew.workers, crew.schedulers)
        warn_broken(get_logger("plugins"))
        wakeups.take()  # all is imported now
        services = crew.services(shutdown_timeout, connect_timeout)
        serve(services, crew.workers, wakeups, shutdown_timeout)
