"""`Arguments`: a function's parameters, and the way of its arguments to JSON and back."""

from __future__ import annotations

import inspect
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ltq_core.arguments.compiled import ABSENT, binder
from ltq_core.arguments.hints import UNRESOLVED, hint, shown
from ltq_core.arguments.unfit import UnfitError
from ltq_core.errors import ConfigurationError, DecodeError, EncodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import FunctionType

    from ltq_core.arguments.codec import Codec
    from ltq_core.arguments.route import Carrier, Route


class Arguments:
    """The parameters of one task's function.

    Args:
        function: Anything that can be called and whose signature can be read.
        task_name: Names the task in errors.

    Attributes:
        names: The names of the parameters, in order.

    Raises:
        ConfigurationError: The values of an annotation cannot be carried, or not
            without guessing what they were; names the parameter. Annotations in
            which a name is not defined yet are left for `resolve`.

    Concurrency:
        Safe from several threads.
    """

    def __init__(self, function: Callable[..., Any], task_name: str) -> None:
        self._function = function
        self._task_name = task_name
        self._parameters = tuple(_signature(function, task_name).parameters.values())
        self.names = tuple(parameter.name for parameter in self._parameters)
        self._qualname = getattr(function, "__qualname__", type(function).__qualname__)
        self._codecs: dict[str, Codec] = {}
        self._pending = self._parameters
        self._resolve(final=False)

    def resolve(self) -> None:
        """Resolve the annotations whose names were not defined at the declaration.

        `dump` and `load` do it too; a worker does it when it starts, so that a
        name that never resolves is an error there and not at the first message.

        Raises:
            ConfigurationError: A name is still not defined, or its type cannot be
                carried; names the parameter.
        """
        if self._pending:
            self._resolve(final=True)

    def dump(
        self, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of a call as plain JSON values.

        What is returned is known to arrive: `load` has read it, and found values
        that are equal and of the same types. Three things may change and do not
        count: an int given for a float arrives as one, a tuple given for a
        parameter without an annotation as a list, and a zone of `zoneinfo` as its
        offset from UTC, at the same instant. Defaults are not sent.

        Args:
            args: The positional ones; they stay so.
            kwargs: The keyword ones; they stay so.

        Raises:
            TypeError: The call does not fit the function's signature.
            EncodeError: An argument would not arrive as it is; names it, with the
                path to the part that would not.
            ConfigurationError: See `resolve`.
        """
        if self._pending:
            self.resolve()
        try:
            return self._out(args, kwargs)
        except UnfitError as unfit:
            raise EncodeError(
                f"Argument `{unfit.path}` of task '{self._task_name}' cannot be sent:"
                f" {unfit.reason}."
            ) from unfit.__cause__

    def load(
        self, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of a call from plain JSON values, as the annotations say.

        They share nothing with what they were read from: a task that changes its
        arguments does not change the message, which may yet be tried again.

        Raises:
            DecodeError: They do not fit the signature, or an annotation; names the
                argument, with the path to the part that does not.
            ConfigurationError: See `resolve`.
        """
        if self._pending:
            self.resolve()
        try:
            return self._in(args, kwargs)
        except TypeError as error:
            raise DecodeError(
                f"The arguments of task '{self._task_name}' do not fit: {error}."
            ) from None
        except UnfitError as unfit:
            raise DecodeError(
                f"Argument `{unfit.path}` of task '{self._task_name}' does not fit:"
                f" {unfit.reason}."
            ) from unfit.__cause__

    def value(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """What parameter *name* is in a call, its default included.

        Raises:
            ValueError: The function has no such parameter.
            TypeError: The call does not fit the function's signature.
        """
        place = self.names.index(name)
        value = self._bind(*args, **kwargs)[place]
        return self._parameters[place].default if value is ABSENT else value

    def _resolve(self, *, final: bool) -> None:
        from ltq_core.arguments.codec import Codec  # here: it imports msgspec, 20 ms and more

        pending = []
        for parameter in self._pending:
            try:
                self._codecs[parameter.name] = Codec(hint(self._function, parameter.annotation))
            except UNRESOLVED as error:
                if final:
                    raise self._refused(parameter, _undefined(error)) from error
                pending.append(parameter)
            except UnfitError as unfit:
                raise self._refused(parameter, unfit.reason) from unfit.__cause__
            except Exception as error:  # evaluating an annotation runs its author's code
                raise self._refused(parameter, f"cannot be evaluated: {error}") from error
        if not pending:
            codecs = self._codecs.items()
            self._out = self._route({name: (it.goes, it.dump) for name, it in codecs})
            self._in = self._route({name: (it.comes, it.load) for name, it in codecs})
        self._pending = tuple(pending)  # last: another thread may look at it

    def _route(self, carriers: Mapping[str, Carrier]) -> Route:
        from ltq_core.arguments.route import Route

        return Route(self._parameters, self._qualname, carriers)

    @cached_property
    def _bind(self) -> FunctionType:
        return binder(self._parameters, self._qualname)

    def _refused(self, parameter: inspect.Parameter, reason: str) -> ConfigurationError:
        return ConfigurationError(
            f"Parameter '{parameter.name}' of task '{self._task_name}' is annotated"
            f" `{shown(parameter.annotation)}`, which {reason}."
        )


def _undefined(error: Exception) -> str:
    return (
        f"does not resolve: {error}. What it names must be defined or imported in the"
        " function's module when the program runs, and not only for a type checker"
    )


def _signature(function: Callable[..., Any], task_name: str) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"The parameters of task '{task_name}' cannot be read: {error}."
        ) from error
