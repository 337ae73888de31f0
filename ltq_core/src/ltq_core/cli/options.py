"""Options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ltq_core.cli.toolkit import click

if TYPE_CHECKING:
    from collections.abc import Callable

    F = TypeVar("F", bound=Callable[..., Any])


def broker_url_option(function: F) -> F:
    """``--broker-url``, accepted before a command as well as after it."""
    return click.option(
        "--broker-url",
        "--redis-url",
        metavar="URL",
        expose_value=False,
        callback=_override,
        help="The broker to use, whatever workers and $LTQ_BROKER_URL say.",
    )(function)


def json_option(function: F) -> F:
    """``--json``: print for programs."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def _override(ctx: click.Context, parameter: click.Parameter, url: str | None) -> None:
    if url is None:
        return
    from ltq_core.broker import override_broker_url

    override_broker_url(url)
    ctx.find_root().call_on_close(lambda: override_broker_url(None))
