"""Find what a parameter's annotation means: resolve names that stand in strings."""

from __future__ import annotations

import functools
import inspect
import typing
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# What evaluating an annotation raises while a name in it, or in the fields of
# a class that it uses, is not defined yet.
UNRESOLVED = (NameError, AttributeError)


def hint(function: Callable[..., Any], annotation: Any) -> Any:
    """The type that *annotation* of one of *function*'s parameters stands for.

    Each annotation is evaluated alone: one that cannot be must not spoil the
    others, and the return annotation matters to nobody here.

    Raises:
        NameError: A name in it is not defined, or not yet; so does `AttributeError`.
        Exception: The annotation is no expression, or evaluating it failed.
    """
    if annotation is inspect.Parameter.empty:
        return Any
    plain = _plain_function(function)
    names = {p.__name__: p for p in getattr(plain, "__type_params__", ())}
    holder = SimpleNamespace(__annotations__={"it": annotation})
    namespace = getattr(plain, "__globals__", {})
    return typing.get_type_hints(holder, namespace, names, include_extras=True)["it"]


def _plain_function(function: Any) -> Any:
    """The function whose module the annotations were written in."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    return function if hasattr(function, "__globals__") else type(function).__call__


def shown(annotation: Any) -> str:
    """*annotation* as a message shows it."""
    return annotation.__qualname__ if isinstance(annotation, type) else str(annotation)
