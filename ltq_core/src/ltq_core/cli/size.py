"""``ltq size``."""

from __future__ import annotations

from ltq_core.cli.options import broker_url_option, json_option
from ltq_core.cli.toolkit import click


@click.command()
@click.argument("queue")
@json_option
@broker_url_option
def size(queue: str, as_json: bool) -> None:
    """Print how many messages wait in QUEUE.

    Due and delayed ones count, those in flight do not.
    """
    from ltq_core.cli.output import print_json
    from ltq_core.cli.queues import ask_broker

    waiting = ask_broker(lambda broker: broker.size(queue))
    if as_json:
        print_json({"queue": queue, "size": waiting})
    else:
        click.echo(f"{queue}: {waiting}")
