"""What accompanies a worker from its start to its end."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from ltq_core.errors import PluginError
from ltq_core.logger import get_logger
from ltq_core.plugins.registry import current

if TYPE_CHECKING:
    from ltq_core.plugins.plugin import Plugin
    from ltq_core.worker import Worker

HOOK = "ltq_worker_lifespan"
log = get_logger("plugins")


def worker_lifespans(worker: Worker) -> list[AbstractAsyncContextManager[Any]]:
    """The contexts to enter, in this order, while *worker* runs.

    A plugin whose hook fails is taken out with a warning, and the others serve on.

    Raises:
        PluginError: A hook failed and plugins are strict.
    """
    loaded = [p for p in current().found.plugins if p.implementation is not None]
    plugins = [plugin for plugin in loaded if HOOK in plugin.hooks]
    contexts = [context for plugin in plugins for context in _contexts(plugin, worker)]
    current().check()
    return contexts


def _contexts(plugin: Plugin, worker: Worker) -> list[AbstractAsyncContextManager[Any]]:
    try:
        return _asked(plugin, worker)
    except PluginError as error:
        plugin.take_out("broken", plugin.failure(error))
        log.warning("%s", plugin.error)
        return []


def _asked(plugin: Plugin, worker: Worker) -> list[AbstractAsyncContextManager[Any]]:
    from ltq_core.plugins.loading import ask

    answers = ask(plugin, current().found.manager, HOOK, worker=worker)
    for answer in answers:
        if not isinstance(answer, AbstractAsyncContextManager):
            kind = type(answer).__name__
            raise PluginError(f"its {HOOK} answered {kind}, not an async context manager")
    return answers
