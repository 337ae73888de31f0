"""What accompanies a worker from its start to its end."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from ltq_core.errors import PluginError
from ltq_core.logger import get_logger, typed
from ltq_core.plugins.plugin import reason
from ltq_core.plugins.registry import current

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from ltq_core.plugins.plugin import Plugin
    from ltq_core.worker import Worker

HOOK = "ltq_worker_lifespan"

# Seconds until a context that is still being entered or left is named. A guess; less than
# the 27 s after which `ltq run` gives up on a worker that is to end.
SLOW = 10.0

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
            with self._named_if_slow("entered"):
                await self._context.__aenter__()
        except BaseException as error:
            if _ends_the_worker(error):
                raise
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
            with self._named_if_slow("left"):
                await self._context.__aexit__(kind, error, trace)
        except BaseException as raised:
            if raised is error:
                return
            if _ends_the_worker(raised):
                raise
            self._blame("left", raised)

    @contextmanager
    def _named_if_slow(self, moment: str) -> Iterator[None]:
        from asyncio import get_running_loop

        text = "The worker waits for plugin %s, whose %s is still being %s after %g s."
        given = (self._plugin, HOOK, moment, SLOW)
        timer = get_running_loop().call_later(SLOW, log.warning, text, *given)
        try:
            yield
        finally:
            timer.cancel()

    def _blame(self, moment: str, error: BaseException) -> None:
        text = f"its {HOOK} raised {reason(error)} when it was {moment}"
        _take_out(self._plugin, self._plugin.failure(text, what="failed"))
        log.debug("What plugin %s raised:", self._plugin, exc_info=error)
        current().check()


def _ends_the_worker(error: BaseException) -> bool:
    """Whether *error* reached a context from outside, and is no fault of its plugin."""
    from asyncio import CancelledError, current_task

    if isinstance(error, CancelledError):
        task = current_task()
        return task is None or task.cancelling() > 0
    return isinstance(error, KeyboardInterrupt | GeneratorExit)


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
