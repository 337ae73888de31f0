"""What a value consists of, for those who walk through one."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ltq_core.arguments.models import is_model

if TYPE_CHECKING:
    from collections.abc import Sequence


def parts(value: Any) -> Sequence[Any] | None:
    """The parts of *value*, a dict's keys first; None where it has none."""
    if isinstance(value, (list, tuple)):
        return value
    if isinstance(value, dict):
        return [*value, *value.values()]
    if isinstance(value, (set, frozenset)):
        return list(value)
    kind: Any = type(value)
    names = _field_names(kind)
    return None if names is None else [getattr(value, name, None) for name in names]


def label(value: Any, index: int) -> str:
    """The path from *value* to that one of its parts.

    Keys are the task's data and stay out of messages: ``[...]`` stands for them.
    """
    if isinstance(value, (list, tuple)):
        return f"[{index}]"
    if isinstance(value, dict):
        return " (a key)" if index < len(value) else "[...]"
    kind: Any = type(value)
    names = _field_names(kind)
    return "[...]" if names is None else f".{names[index]}"


@lru_cache(maxsize=512)  # bounded: classes made on the fly must not pile up here
def _field_names(kind: Any) -> tuple[str, ...] | None:
    """What makes up a Struct, a dataclass, an attrs object or a pydantic model."""
    if hasattr(kind, "__struct_fields__"):
        return tuple(kind.__struct_fields__)
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    if hasattr(kind, "__attrs_attrs__"):
        return tuple(attribute.name for attribute in kind.__attrs_attrs__)
    if is_model(kind):
        return (*kind.model_fields, "__pydantic_extra__", "__pydantic_private__")
    return None
