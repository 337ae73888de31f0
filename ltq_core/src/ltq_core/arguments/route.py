"""Take a call's arguments one way, each by what carries its parameter's values."""

from __future__ import annotations

from inspect import Parameter
from itertools import count
from typing import TYPE_CHECKING, Any

from ltq_core.arguments.compare import SURROGATE, is_text
from ltq_core.arguments.compiled import tester
from ltq_core.arguments.unfit import UnfitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ltq_core.arguments.compiled import Test

    Carry = Callable[[Any], Any]
    Carrier = tuple[Mapping[type, Test], Carry]

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_KEYWORD = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


class Route:
    """One way of a call's arguments.

    Args:
        parameters: The function's, in order.
        name: The function's, for errors.
        carriers: By parameter, the tests by type of which values need no carrying,
            and what carries the others.
    """

    def __init__(
        self, parameters: Sequence[Parameter], name: str, carriers: Mapping[str, Carrier]
    ) -> None:
        def of(*kinds: object) -> dict[str, Carry]:
            return {p.name: carriers[p.name][1] for p in parameters if p.kind in kinds}

        self._as_is = tester(
            parameters, name, {it: tests for it, (tests, _) in carriers.items()}
        )
        self._positional = of(*_POSITIONAL)
        self._keyword = of(*_KEYWORD)
        self._more = of(Parameter.VAR_POSITIONAL)
        self._others = of(Parameter.VAR_KEYWORD)

    def __call__(
        self, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Carry every argument; what was positional stays so, and what was named.

        Raises:
            TypeError: The call does not fit the parameters.
            UnfitError: An argument cannot be carried; its path begins with the
                parameter.
        """
        if self._as_is(*args, **kwargs):
            return tuple(args), dict(kwargs)
        return tuple(self._carry_args(args)), self._carry_kwargs(kwargs)

    def _carry_args(self, args: Sequence[Any]) -> Iterator[Any]:
        for (label, carry), value in zip(self._slots(), args, strict=False):
            yield _carried(label, carry, value)

    def _slots(self) -> Iterator[tuple[str, Carry]]:
        yield from self._positional.items()
        for name, carry in self._more.items():
            for index in count():
                yield f"{name}[{index}]", carry

    def _carry_kwargs(self, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        carried = {}
        for name, value in kwargs.items():
            carry = self._keyword.get(name) or self._other(name)
            carried[name] = _carried(name, carry, value)
        return carried

    def _other(self, name: str) -> Carry:
        if not is_text(name):
            raise UnfitError(SURROGATE, "a keyword")
        (carry,) = self._others.values()
        return carry


def _carried(label: str, carry: Carry, value: Any) -> Any:
    try:
        return carry(value)
    except UnfitError as unfit:
        raise unfit.below(label) from unfit.__cause__
