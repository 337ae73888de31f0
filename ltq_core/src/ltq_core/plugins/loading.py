"""Load plugins: import each, check its hooks, ask it what it offers."""

from __future__ import annotations

import inspect
import time
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

from ltq_core import hookspecs
from ltq_core.errors import PluginError
from ltq_core.logger import harmless
from ltq_core.nearest import nearest
from ltq_core.plugins.answers import broker_targets, command_targets, middleware_specs
from ltq_core.plugins.imports import import_string
from ltq_core.plugins.plugin import reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ltq_core.plugins.plugin import Plugin

T = TypeVar("T")

HOOKS = tuple(name for name in vars(hookspecs) if name.startswith("ltq_"))


def new_manager() -> pluggy.PluginManager:
    """A plugin manager that knows LTQ's hooks and no plugin."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


def load(plugin: Plugin, manager: pluggy.PluginManager) -> None:
    """Import, check, register and ask *plugin*; what fails is noted on it."""
    started = time.perf_counter()
    try:
        plugin.implementation = import_string(plugin.value)
        plugin.hooks = _register(plugin, manager)
        _ask_all(plugin, manager)
    except KeyboardInterrupt as error:
        error.add_note(plugin.interrupted())
        raise
    except BaseException as error:  # an import may end in anything, SystemExit too
        plugin.take_out("broken", plugin.failure(error))
    plugin.load_seconds = time.perf_counter() - started


def ask(
    plugin: Plugin, manager: pluggy.PluginManager, hook: str, **arguments: object
) -> list[Any]:
    """What *plugin* alone answers to *hook*; another's failure cannot get in its way.

    Raises:
        PluginError: The hook raised.
    """
    others = [other for other in manager.get_plugins() if other is not plugin.implementation]
    call = manager.subset_hook_caller(hook, others)
    try:
        return list(call(**arguments))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise PluginError(f"its {hook} raised {reason(error)}") from harmless(error)


def _ask_all(plugin: Plugin, manager: pluggy.PluginManager) -> None:
    def answered(hook: str, check: Callable[[list[Any]], T]) -> T:
        answers = ask(plugin, manager, hook)
        try:
            return check(answers)
        except PluginError as error:
            raise PluginError(f"its {hook} {error}") from error

    plugin.brokers = answered("ltq_register_brokers", broker_targets)
    plugin.middleware = answered("ltq_register_middleware", middleware_specs)
    plugin.commands = answered("ltq_register_commands", command_targets)


def _register(plugin: Plugin, manager: pluggy.PluginManager) -> tuple[str, ...]:
    hash(plugin.implementation)  # pluggy keeps sets of plugins: it would fail for all others
    if manager.is_registered(plugin.implementation):
        raise PluginError(f"another entry point names '{plugin.value}' already")
    hooks = tuple(_checked_hooks(plugin.implementation, manager))
    manager.register(plugin.implementation, plugin.name)
    return hooks


def _checked_hooks(implementation: object, manager: pluggy.PluginManager) -> Iterator[str]:
    # pluggy checks arguments too, with a text of several lines; it says nothing of a
    # misspelt hook, nor of one that lacks its marker.
    for name in dir(implementation):
        options = manager.parse_hookimpl_opts(implementation, name)
        function = inspect.getattr_static(implementation, name, None)
        if options is None and not (name.startswith("ltq_") and inspect.isroutine(function)):
            continue
        hook = (options and options.get("specname")) or name
        if hook in HOOKS:
            if options is None:
                raise PluginError(f"its {name} lacks the decorator @hookimpl")
            _check_call(hook, getattr(implementation, name))
            yield hook
        elif not (options and options.get("optionalhook")):
            raise PluginError(f"there is no hook '{hook}'{_did_you_mean(hook)}")


def _check_call(hook: str, function: Callable[..., object]) -> None:
    if inspect.iscoroutinefunction(function):
        raise PluginError(f"its {hook} must be a plain function, not async")
    known = inspect.signature(getattr(hookspecs, hook)).parameters
    for parameter in inspect.signature(function).parameters.values():
        required = parameter.default is parameter.empty and parameter.kind in (
            parameter.POSITIONAL_ONLY,
            parameter.POSITIONAL_OR_KEYWORD,
            parameter.KEYWORD_ONLY,
        )
        if required and parameter.name not in known:
            takes = f"takes only '{', '.join(known)}'" if known else "takes no arguments"
            raise PluginError(f"its {hook} asks for '{parameter.name}', but the hook {takes}")


def _did_you_mean(hook: str) -> str:
    near = nearest(hook, HOOKS)
    return f" (did you mean '{near}'?)" if near else f" (known are: {', '.join(HOOKS)})"
