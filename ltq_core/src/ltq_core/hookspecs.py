"""The hooks that a plugin may implement, and the marker that says so.

A plugin is a light module, named by an entry point of the group ``ltq``, whose
functions carry `hookimpl`. All hooks are optional, plain functions, and wire things
up; nothing on a message's path goes through them: that is middleware's place. LTQ
asks each plugin on its own, so that one that fails leaves the others working.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from rich_click import Command

    from ltq_core.broker import Broker
    from ltq_core.middleware import MiddlewareSpec
    from ltq_core.worker import Worker

PROJECT = "ltq"
"""The name of the pluggy project and of the entry-point group."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function of a plugin as the implementation of the hook of its name."""


@hookspec
def ltq_register_brokers() -> Mapping[str, str | Callable[[str], Broker]] | None:
    """Offer brokers by the scheme of their URLs.

    When it is called: once per process, when plugins are first needed: a broker URL
    is resolved, a task with options is declared, plugins are listed.

    Returns:
        Lower-case schemes, each with the import string of a broker class
        (``"module:Class"``, imported when a URL of that scheme is first used), or
        with a callable. Either is called with the whole URL and returns a `Broker`;
        for a URL that makes no sense it raises `ConfigurationError`. None offers
        nothing.

    How several answers combine:
        All schemes of all plugins are known. A scheme that two plugins offer is an
        error when a URL uses it, and names both; neither wins.

    Example:
        >>> @hookimpl
        ... def ltq_register_brokers():
        ...     return {"nats": "ltq_nats.broker:NatsBroker"}
    """


@hookspec
def ltq_register_middleware() -> Sequence[MiddlewareSpec] | None:
    """Offer middleware, described so that it is imported only where it is used.

    When it is called: once per process, when plugins are first needed.

    Returns:
        One `MiddlewareSpec` for each middleware: its name, the import string of its
        class (called without arguments), its phase, whether it joins the default
        stack, and the task options it understands. None offers nothing.

    How several answers combine:
        Sorted by phase, outermost first, then by name; never by the order in which
        plugins were found. A middleware or a task option of one name from two plugins
        is an error when it is used, and names both. What the core's own plugin offers
        stands, and a foreign middleware that claims its name or an option is left out.

    Example:
        >>> @hookimpl
        ... def ltq_register_middleware():
        ...     return [MiddlewareSpec("nats-headers", "ltq_nats.headers:Headers", "observe")]
    """


@hookspec
def ltq_register_commands() -> Mapping[str, str | Command] | None:
    """Offer subcommands of ``ltq``.

    When it is called: once per process, when plugins are first needed. A command of
    the core needs none.

    Returns:
        Names, each with the import string of a ``click.Command`` (imported when the
        command is run or shown), or with the command itself. None offers nothing.

    How several answers combine:
        All commands of all plugins are known. A command of the core stands, and a
        plugin that offers one of its name is in conflict. A name that two plugins offer
        is an error when it is run.

    Example:
        >>> @hookimpl
        ... def ltq_register_commands():
        ...     return {"nats-streams": "ltq_nats.commands:streams"}
    """


@hookspec
def ltq_worker_lifespan(worker: Worker) -> AbstractAsyncContextManager[Any] | None:
    """Accompany a worker from its start to its end.

    When it is called: each time a worker starts, in its event loop; the context is
    entered before the first message is claimed, and left after the last run ended.

    Args:
        worker: The worker that starts. Its name, tasks, broker and middleware are
            complete; change none of them.

    Returns:
        An async context manager, usually from an ``@asynccontextmanager`` below
        `hookimpl`. None does nothing.

    How several answers combine:
        Each is entered, in the order of the plugins' names, and left in the reverse
        order. One that raises is a warning that names its plugin; the worker runs on
        without it.

    Example:
        >>> @hookimpl
        ... @asynccontextmanager
        ... async def ltq_worker_lifespan(worker):
        ...     async with metrics_server(worker.name):
        ...         yield
    """
