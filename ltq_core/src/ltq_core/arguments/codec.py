"""One annotation's values: to plain JSON values and back."""

from __future__ import annotations

import math
from types import NoneType
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import inspect as kinds

from ltq_core.arguments.compare import (
    NOT_FINITE,
    SURROGATE,
    TOO_DEEP,
    difference,
    is_text,
    obstacle,
)
from ltq_core.arguments.compiled import always, never
from ltq_core.arguments.judge import is_untyped, judged, nodes
from ltq_core.arguments.models import read_model, write_model
from ltq_core.arguments.unfit import UnfitError

if TYPE_CHECKING:
    from collections.abc import Callable

_encode = msgspec.json.Encoder(enc_hook=write_model).encode
_decode = msgspec.json.Decoder().decode

_ANNOTATE = "only JSON's own types pass without an annotation, so annotate the parameter"

# What JSON carries as it is, and the test of whether it does.
_FITS: dict[type, Callable[[Any], bool]] = {
    NoneType: always,
    bool: always,
    int: lambda value: -(2**63) <= value < 2**64,  # beyond, it is tried and compared
    float: math.isfinite,
    str: is_text,
}
_NODES = {
    NoneType: kinds.NoneType(),
    bool: kinds.BoolType(),
    int: kinds.IntType(),
    float: kinds.FloatType(),
    str: kinds.StrType(),
}

# Where the type may change on the way, as long as the values are equal.
_WIDENED = frozenset({(int, float)})
_WIDENED_UNTYPED = frozenset({(tuple, list)})


class Codec:
    """Carries the values of one annotation.

    Raises:
        UnfitError: Its values cannot be carried, or not without guessing.
        NameError: A class in it is not defined yet; so does `AttributeError`.
    """

    def __init__(self, annotation: Any) -> None:
        info = judged(annotation)
        self._untyped = is_untyped(info)
        self._shares = any(map(is_untyped, nodes(info)))
        self.goes = _FITS if self._untyped else _scalars(info)
        self.comes = dict.fromkeys(self.goes, always)
        # The type of a Struct's field is analyzed once, a bare type at each call.
        # Typed Any: mypy cannot know the field that is made here.
        self._box: Any = msgspec.defstruct("Box", [("value", annotation)], array_like=True)

    def dump(self, value: Any) -> Any:
        """*value* as plain JSON values.

        It makes the whole way through JSON and back, so what is returned is what
        a worker will see, and is known to be read as what was sent.

        Raises:
            UnfitError: It would not arrive, or not as it is.
        """
        if self.goes.get(type(value), never)(value):
            return value
        widened = _WIDENED_UNTYPED if self._untyped else _WIDENED
        found: Exception | None
        try:
            plain = _decode(_encode(value))
            found = difference(value, self._read(plain), widened)
        except Exception as error:
            found = error
        if found is not None:
            unfit = self._advised(obstacle(value, _storable) or _unfit(found))
            raise unfit from unfit.__cause__
        return plain

    def load(self, plain: Any) -> Any:
        """The value that *plain* stands for; it shares nothing with it.

        Raises:
            UnfitError: It is no value of the annotation.
        """
        try:
            return self._read(_decode(_encode(plain)) if self._shares else plain)
        except Exception as error:
            unfit = _unfit(error)
            raise unfit from unfit.__cause__

    def _read(self, plain: Any) -> Any:
        """Like `load`, but what the annotation leaves open is not copied."""
        if self._untyped or type(plain) in self.comes:
            return plain
        return msgspec.convert((plain,), self._box, str_keys=True, dec_hook=read_model).value

    def _advised(self, unfit: UnfitError) -> UnfitError:
        if self._untyped and unfit.reason not in (NOT_FINITE, SURROGATE, TOO_DEEP):
            unfit.reason += f"; {_ANNOTATE}"
        return unfit


def _scalars(info: kinds.Type) -> dict[type, Callable[[Any], bool]]:
    """Those of JSON's own types that *info* takes without a condition."""
    taken = info.types if isinstance(info, kinds.UnionType) else (info,)
    return {kind: _FITS[kind] for kind, node in _NODES.items() if node in taken}


def _storable(value: Any) -> bool:
    """Whether JSON takes *value* at all; `obstacle` says why it does not."""
    try:
        _decode(_encode(value))
    except Exception:
        return False
    return True


def _unfit(error: Exception) -> UnfitError:
    """How a value's way ended, with the cause if that was somebody's own error."""
    if isinstance(error, UnfitError):
        return error
    if isinstance(error, RecursionError):
        return UnfitError(TOO_DEEP)
    if isinstance(error, msgspec.ValidationError):
        return _refused(error)
    unfit = UnfitError(f"{type(error).__name__} was raised on the way")
    unfit.__cause__ = error
    return unfit


def _refused(error: msgspec.ValidationError) -> UnfitError:
    """What msgspec says, its path as ours, without the value that it may quote."""
    text, _, place = str(error).rpartition(" - at `")
    path = place.removeprefix("key` in `").removeprefix("$[0]").removesuffix("`")
    if place.startswith("key`"):
        path += " (a key)"
    if isinstance(error.__cause__, UnfitError):  # raised by `read_model`
        return error.__cause__.below(path)
    if text.startswith(("Invalid value", "Invalid enum value")):
        text = text.partition("value")[0] + "value"
    unfit = UnfitError(text[:1].lower() + text[1:], path)
    unfit.__cause__ = error.__cause__
    return unfit
