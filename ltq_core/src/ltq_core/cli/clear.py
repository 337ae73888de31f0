"""``ltq clear``."""

from __future__ import annotations

from ltq_core.cli.options import broker_url_option
from ltq_core.cli.toolkit import click


@click.command()
@click.argument("queue")
@broker_url_option
def clear(queue: str) -> None:
    """Remove what waits in QUEUE; what is in flight stays."""
    from ltq_core.cli.queues import ask_broker

    ask_broker(lambda broker: broker.clear(queue))
    click.echo(f"{queue}: cleared", err=True)
