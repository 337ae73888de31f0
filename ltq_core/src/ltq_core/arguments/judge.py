"""Judge an annotation when it is declared: can its values be carried at all?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import inspect as kinds

from ltq_core.arguments.hints import shown
from ltq_core.arguments.models import is_model
from ltq_core.arguments.unfit import UnfitError

if TYPE_CHECKING:
    from collections.abc import Iterator

# What can be told from the text that JSON makes of every key. Any is among them:
# such a key is taken as it arrives, and `Codec.dump` refuses all but text.
_KEYS = (
    kinds.AnyType,
    kinds.StrType,
    kinds.IntType,
    kinds.FloatType,
    kinds.DecimalType,
    kinds.EnumType,
    kinds.UUIDType,
    kinds.BytesType,
    kinds.DateTimeType,
    kinds.DateType,
    kinds.TimeType,
    kinds.TimeDeltaType,
)


def judged(annotation: Any) -> kinds.Type:
    """What msgspec makes of *annotation*, if it can be carried without guessing.

    Raises:
        UnfitError: It cannot.
        NameError: A class in it is not defined yet; so does `AttributeError`.
    """
    try:
        info = kinds.type_info(annotation)
    except TypeError as error:
        raise UnfitError(_reason(str(error))) from None
    for node in nodes(info):
        if isinstance(node, kinds.CustomType | kinds.RawType | kinds.ExtType):
            _judge_custom(node)
        elif isinstance(node, kinds.DictType):
            _judge_key(node.key_type)
    return info


def _reason(text: str) -> str:
    """msgspec's own reason, without the type, which the caller shows as a whole."""
    text = text.partition(" - type `")[0]
    cannot = "decoded without guessing" if text.startswith("Type unions") else "carried"
    return f"cannot be {cannot}: {text[:1].lower()}{text[1:]}"


def nodes(info: kinds.Type) -> Iterator[kinds.Type]:
    """*info* and every type in it; a class that contains itself comes once."""
    return _nodes(info, set())


def is_untyped(node: kinds.Type) -> bool:
    """Whether *node* says nothing of the values: Any, object, or no annotation."""
    return isinstance(node, kinds.AnyType) or getattr(node, "cls", None) is object


def _nodes(node: Any, seen: set[int]) -> Iterator[kinds.Type]:
    if isinstance(node, tuple):
        for part in node:
            yield from _nodes(part, seen)
    elif isinstance(node, kinds.Type | kinds.Field) and id(node) not in seen:
        seen.add(id(node))
        if isinstance(node, kinds.Type):
            yield node
        for name in node.__struct_fields__:
            if name != "default":
                yield from _nodes(getattr(node, name), seen)


def _judge_custom(node: kinds.Type) -> None:
    kind = getattr(node, "cls", type(node))
    if not (is_untyped(node) or is_model(kind)):
        raise UnfitError(f"cannot be carried: nothing is known of `{shown(kind)}`")


def _judge_key(key: kinds.Type) -> None:
    if isinstance(key, kinds.LiteralType):
        guessing = len({type(value) for value in key.values}) > 1
    else:
        guessing = isinstance(key, kinds.UnionType)
    if guessing:
        raise UnfitError("cannot be decoded without guessing: every key is text in JSON")
    if not isinstance(key, (*_KEYS, kinds.LiteralType)):
        raise UnfitError("cannot be carried: JSON has no keys of this type")
