"""Hold a class against the contract it implements, without running it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ltq_core.abilities import ABILITIES
from ltq_core.broker import Broker
from ltq_core.cli.toolkit import click
from ltq_core.middleware import Middleware
from ltq_core.worker.options import CORE_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ltq_core.middleware import MiddlewareSpec


def broker_problems(made_by: Callable[..., Any]) -> Iterator[str]:
    """What is wrong with a broker class; of another callable, only how it is called."""
    yield from _call_problems(_name(made_by), made_by, [("url",)])
    if isinstance(made_by, type):
        yield from _class_problems(made_by, Broker)
        for ability in ABILITIES:
            if issubclass(made_by, ability):
                yield from _method_problems(made_by, ability)


def middleware_problems(spec: MiddlewareSpec, made_by: Callable[..., Any]) -> Iterator[str]:
    """What is wrong with a middleware class; of another callable, only how it is called."""
    yield from _call_problems(_name(made_by), made_by, [()])
    if isinstance(made_by, type):
        yield from _class_problems(made_by, Middleware)
        yield from _option_problems(spec, _name(made_by), getattr(made_by, "options", {}))


def _option_problems(spec: MiddlewareSpec, name: str, options: object) -> Iterator[str]:
    if not isinstance(options, Mapping):
        yield f"{name}.options must be a mapping of task options to parsers."
        return
    for option in sorted(options.keys() ^ set(spec.options)):
        where = "its MiddlewareSpec" if option in options else f"{name}.options"
        yield f"The task option '{option}' is missing from {where}."
    for option in sorted(CORE_OPTIONS.keys() & set(spec.options)):
        yield f"The task option '{option}' is the worker's own, whose parser stands."


def command_problems(command: object) -> Iterator[str]:
    """What is wrong with a subcommand."""
    if not isinstance(command, click.Command):
        yield f"{_name(command)} must be a click.Command."


def _class_problems(cls: type, contract: type) -> Iterator[str]:
    if not issubclass(cls, contract):
        yield f"{cls.__name__} must be a subclass of ltq_core.{contract.__name__}."
        return
    for name in sorted(getattr(cls, "__abstractmethods__", ())):
        yield f"{cls.__name__} does not implement {name}."
    yield from _method_problems(cls, contract)


def _method_problems(cls: type, contract: type) -> Iterator[str]:
    for name, declared in inspect.getmembers(contract, inspect.isfunction):
        public = name == "__call__" or not name.startswith("_")
        method = getattr(cls, name)
        if public and method is not declared:
            what = f"{cls.__name__}.{name}"
            yield from _kind_problems(what, method, inspect.iscoroutinefunction(declared))
            yield from _call_problems(what, method, _calls(declared))


def _kind_problems(what: str, method: Callable[..., Any], is_async: bool) -> Iterator[str]:
    if is_async:
        if not inspect.iscoroutinefunction(inspect.unwrap(method)):
            yield f"{what} must be async."
    elif inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method):
        yield f"{what} must not be async; for a context, decorate it with @asynccontextmanager."


def _calls(declared: Callable[..., Any]) -> list[tuple[str, ...]]:
    """The ways in which a method may be called: ``name`` by position, ``name=`` by name."""
    this, *others = inspect.signature(declared).parameters.values()
    required = [parameter.name for parameter in others if parameter.default is parameter.empty]
    names = [parameter.name for parameter in others]
    return [
        (this.name, *names),
        (this.name, *required),
        (this.name, *(f"{name}=" for name in names)),
    ]


def _call_problems(
    what: str, function: Callable[..., Any], calls: list[tuple[str, ...]]
) -> Iterator[str]:
    """The first of *calls* that *function* does not take, if any."""
    for call in calls:
        args = [name for name in call if not name.endswith("=")]
        kwargs = {name[:-1]: None for name in call if name.endswith("=")}
        try:
            inspect.signature(function).bind(*args, **kwargs)
        except (TypeError, ValueError) as error:  # a builtin may have no signature
            shown = ", ".join(name for name in call if name != "self")
            yield f"{what} must take ({shown}): {error}."
            return


def _name(thing: object) -> str:
    return getattr(thing, "__name__", None) or repr(thing)
