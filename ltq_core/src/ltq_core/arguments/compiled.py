"""Functions compiled to take the parameters of another one.

`inspect.Signature.bind` takes 3 µs a call, a real function with the same
parameters 0.1. Called wrongly, it raises Python's own `TypeError`.
"""

from __future__ import annotations

from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import FunctionType

    Test = Callable[[Any], bool]


class _Absent:
    """Stands for an argument that the call left to its default."""

    def __repr__(self) -> str:
        return "ABSENT"  # as the compiled source names it


ABSENT = _Absent()


def always(_: object) -> bool:
    """The test that everything passes."""
    return True


def never(_: object) -> bool:
    """The test that nothing passes."""
    return False


def binder(parameters: Sequence[Parameter], name: str) -> FunctionType:
    """What returns one value a parameter, `ABSENT` where the default stands.

    Args:
        parameters: Those of the other function, in order.
        name: Its name, for the errors.
    """
    values = "".join(f"{parameter.name}, " for parameter in parameters)
    return _compiled(parameters, name, f"({values})", {})


def tester(
    parameters: Sequence[Parameter], name: str, tests: Mapping[str, Mapping[type, Test]]
) -> FunctionType:
    """What tells whether every argument passes the test for its own type.

    What a ``*`` or ``**`` parameter takes does not pass.

    Args:
        parameters: Those of the other function, in order.
        name: Its name, for the errors.
        tests: By parameter and type; a type without a test does not pass.
    """
    # Longer than every parameter's name, hence none of them.
    own = "_" * (1 + max((len(parameter.name) for parameter in parameters), default=0))
    namespace: dict[str, Any] = {f"{own}type": type, f"{own}never": never}
    terms = ["True"]
    for index, parameter in enumerate(parameters):
        it = parameter.name
        if parameter.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD):
            terms.append(f"not {it}")
        else:
            namespace[f"{own}{index}"] = {_Absent: always, **tests[it]}.get
            terms.append(f"{own}{index}({own}type({it}), {own}never)({it})")
    return _compiled(parameters, name, " and ".join(terms), namespace)


def _compiled(
    parameters: Sequence[Parameter], name: str, body: str, namespace: dict[str, Any]
) -> FunctionType:
    """The source holds only *body* and names that `inspect` knows to be identifiers.

    ``ABSENT`` is looked up where the function is made, before any parameter exists.
    """
    bare = str(Signature([_bare(parameter) for parameter in parameters]))
    made: FunctionType = eval(f"lambda {bare[1:-1]}: {body}", {**namespace, "ABSENT": ABSENT})
    made.__name__ = made.__qualname__ = name
    return made


def _bare(parameter: Parameter) -> Parameter:
    default: Any = Parameter.empty if parameter.default is Parameter.empty else ABSENT
    return parameter.replace(annotation=Parameter.empty, default=default)
