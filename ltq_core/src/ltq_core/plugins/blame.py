"""Name the middleware that fails while a worker is prepared, and the plugin it is of."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ltq_core.errors import LTQError, PluginError
from ltq_core.logger import get_logger, harmless
from ltq_core.plugins.plugin import reason
from ltq_core.plugins.registry import current

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ltq_core.middleware import Middleware
    from ltq_core.plugins.plugin import Plugin

log = get_logger("plugins")


@contextmanager
def blaming(middleware: Middleware | type[Middleware], part: str, task: str) -> Iterator[None]:
    """Name *middleware* in what its own code raises here.

    Args:
        middleware: Whose code is called.
        part: What of it, such as ``"applies"``.
        task: The name of the task that it is asked about.

    Raises:
        PluginError: The call raised. An `LTQError` speaks for itself, and passes.
    """
    try:
        yield
    except LTQError:
        raise
    except (Exception, SystemExit) as error:
        kind = middleware if isinstance(middleware, type) else type(middleware)
        log.debug("What middleware '%s' raised:", import_string_of(kind), exc_info=error)
        text = f"its {part} for task '{task}' raised {reason(error)}"
        raise PluginError(_failure(kind, text)) from harmless(error)


def import_string_of(kind: type) -> str:
    """``module:Class``, as a spec names it."""
    return f"{kind.__module__}:{kind.__qualname__}"


def _failure(kind: type[Middleware], text: str) -> str:
    if offer := _offer(kind):
        plugin, name = offer
        return plugin.failure(text, f"Middleware '{name}'", what="failed")
    return (
        f"Middleware '{import_string_of(kind)}' failed: {text}. Mend it, or leave it out of "
        "the stack; the log shows its traceback at level DEBUG."
    )


def _offer(kind: type[Middleware]) -> tuple[Plugin, str] | None:
    """The plugin that offers *kind*, and under which name; None if none does so by class."""
    for plugin in current().everything.plugins:
        for spec in plugin.middleware:
            if spec.target in (kind, import_string_of(kind)):
                return plugin, spec.name
    return None
