"""Task options: parsed when a task is declared, checked when a worker starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ltq_core.errors import OptionValueError, UnknownOptionError
from ltq_core.nearest import did_you_mean
from ltq_core.plugins import blaming, find_option
from ltq_core.values import parse_count, parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ltq_core.middleware import Middleware
    from ltq_core.task import Task

Parser = Callable[[Any], Any]


def _parameter(value: Any) -> str:
    if not isinstance(value, str) or not value.isidentifier():
        raise ValueError(f"must be the name of a parameter, not {value!r}.")
    return value


CORE_OPTIONS: Mapping[str, Parser] = {
    "timeout": parse_duration,
    "max_crashes": parse_count,
    "rate_key": _parameter,
    "concurrency_key": _parameter,
}
"""The options that the worker itself understands."""

_CORE_REQUIRES = {"rate_key": "max_rate", "concurrency_key": "max_concurrency"}


def parse_options(
    name: str, declared: Mapping[str, Any], middlewares: Iterable[Middleware]
) -> dict[str, Any]:
    """*declared* with every value parsed whose option is known.

    An unknown one stays as it is: its middleware may be registered later, and
    `check_options` looks again.

    Raises:
        OptionValueError: A value makes no sense, or an option lacks what it needs.
    """
    parsed = dict(declared)
    instances = list(middlewares)
    for option, value in declared.items():
        owner = _owner(option, instances)
        if option in CORE_OPTIONS:
            parsed[option] = _parse(CORE_OPTIONS[option], option, name, value)
        elif owner:
            with blaming(owner, f"parser of {option}", name):
                parsed[option] = _parse(owner.options[option], option, name, value)
        needed = _CORE_REQUIRES.get(option) or (owner and owner.requires.get(option))
        if needed and needed not in declared:
            raise OptionValueError(f"{option} of task '{name}' needs {needed} beside it.")
    return parsed


def _owner(
    option: str, middlewares: Iterable[Middleware]
) -> Middleware | type[Middleware] | None:
    for middleware in middlewares:
        if option in middleware.options:
            return middleware
    return find_option(option)


def _parse(parser: Parser, option: str, name: str, value: Any) -> Any:
    try:
        return parser(value)
    except ValueError as error:
        raise OptionValueError(f"{option} of task '{name}' {error}") from error


def check_parameters(task: Task[Any, Any]) -> None:
    """Check that the options which name a parameter name one of the function's.

    Raises:
        OptionValueError: One does not.
    """
    for option in ("rate_key", "concurrency_key"):
        parameter = task.options.get(option)
        if parameter is not None and parameter not in task.arguments.names:
            raise OptionValueError(
                f"{option} of task '{task.name}' must name one of its parameters "
                f"({', '.join(task.arguments.names)}), not '{parameter}'."
            )


def check_options(tasks: Iterable[Task[Any, Any]], middlewares: Sequence[Middleware]) -> None:
    """Parse all options again, with the middleware that was registered since.

    Raises:
        UnknownOptionError: Nothing knows one; suggests the nearest name.
        OptionValueError: A middleware that was registered late refuses a value.
    """
    for task in tasks:
        task.options = MappingProxyType(parse_options(task.name, task.declared, middlewares))
        for option in task.options:
            if option not in CORE_OPTIONS and _owner(option, middlewares) is None:
                raise UnknownOptionError(_unknown(task.name, option, middlewares))


def _unknown(name: str, option: str, middlewares: Iterable[Middleware]) -> str:
    from ltq_core.plugins import option_names

    known = {*CORE_OPTIONS, *option_names()}.union(*(one.options for one in middlewares))
    hint = did_you_mean(option, sorted(known))
    return f"Task '{name}' has an unknown option '{option}'. {hint}"


def ineffective_options(
    tasks: Iterable[Task[Any, Any]], middlewares: Sequence[Middleware]
) -> list[tuple[str, str]]:
    """(task name, option) of each option whose middleware is not in the stack."""
    known = set(CORE_OPTIONS).union(*(one.options for one in middlewares))
    return [(task.name, one) for task in tasks for one in task.options if one not in known]
