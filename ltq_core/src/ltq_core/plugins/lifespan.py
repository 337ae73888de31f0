"""What accompanies a worker from its start to its end."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from ltq_core.errors import PluginError
from ltq_core.logger import get_logger, typed
from ltq_core.plugins.plugin import reason
from ltq_core.plugins.registry import current

if TYPE_CHECKING:
    from types import TracebackType

    from ltq_core.plugins.plugin import Plugin
    from ltq_core.worker import Worker

HOOK = "ltq_worker_lifespan"
log = get_logger("plugins")


def worker_lifespans(worker: Worker) -> list[AbstractAsyncContextManager[Any]]:
    """The contexts to enter, in this order, while *worker* runs.

    A plugin whose hook or context fails is taken out with a warning: the worker runs,
    and the others accompany it.

    Raises:
        PluginError: A hook failed and plugins are strict. So do the contexts.
    """
    loaded = [p for p in current().found.plugins if p.implementation is not None]
    plugins = [plugin for plugin in loaded if HOOK in plugin.hooks]
    contexts = [context for plugin in plugins for context in _contexts(plugin, worker)]
    current().check()
    return contexts


def _contexts(plugin: Plugin, worker: Worker) -> list[AbstractAsyncContextManager[Any]]:
    try:
        return [_Lifespan(plugin, context) for context in _asked(plugin, worker)]
    except PluginError as error:
        _take_out(plugin, plugin.failure(error))
        return []


class _Lifespan(AbstractAsyncContextManager[None]):
    """A plugin's context, whose failures are the plugin's own and not the worker's."""

    def __init__(self, plugin: Plugin, context: AbstractAsyncContextManager[Any]) -> None:
        self._plugin = plugin
        self._context = context
        self._entered = False

    async def __aenter__(self) -> None:
        try:
            await self._context.__aenter__()
        except (Exception, SystemExit) as error:
            self._blame("entered", error)
        else:
            self._entered = True

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._entered:
            return
        try:
            # What it answers is dropped: no plugin may hide how the worker ended.
            await self._context.__aexit__(kind, error, trace)
        except (Exception, SystemExit) as raised:
            if raised is not error:
                self._blame("left", raised)

    def _blame(self, moment: str, error: BaseException) -> None:
        text = f"its {HOOK} raised {reason(error)} when it was {moment}"
        _take_out(self._plugin, self._plugin.failure(text, what="failed"))
        log.debug("What plugin %s raised:", self._plugin, exc_info=error)
        current().check()


def _take_out(plugin: Plugin, error: str) -> None:
    plugin.take_out("broken", error)
    log.warning("%s", error)


def _asked(plugin: Plugin, worker: Worker) -> list[AbstractAsyncContextManager[Any]]:
    from ltq_core.plugins.loading import ask

    answers = ask(plugin, current().found.manager, HOOK, worker=worker)
    for answer in answers:
        if not isinstance(answer, AbstractAsyncContextManager):
            text = f"answered {typed(answer)}, not an async context manager"
            raise PluginError(f"its {HOOK} {text}")
    return answers
