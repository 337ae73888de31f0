"""pydantic's models, written and read by pydantic itself.

They are told by their methods: pydantic is never imported here, and where an
annotation is a model, it has been.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ltq_core.arguments.unfit import UnfitError


def is_model(kind: Any) -> bool:
    """Whether *kind* is a pydantic model."""
    return hasattr(kind, "model_validate_json") and hasattr(kind, "model_fields")


def write_model(value: Any) -> msgspec.Raw:
    """Encode a model within whatever msgspec is encoding.

    JSON mode at both ends, because a strict model reads dates from JSON only;
    no computed fields, because a model that forbids extras would refuse them.
    """
    if not is_model(type(value)):
        raise TypeError(f"{type(value).__qualname__} has no JSON form")
    return msgspec.Raw(
        value.model_dump_json(by_alias=True, round_trip=True, warnings=False).encode()
    )


def read_model(kind: Any, plain: Any) -> Any:
    """Decode a model within whatever msgspec is decoding."""
    if kind is object:  # the only other type that msgspec does not know and `judge` lets pass
        return plain
    try:
        return kind.model_validate_json(msgspec.json.encode(plain))
    except ValueError as error:
        raise _described(error) from None  # pydantic's own text shows the input


def _described(error: ValueError) -> UnfitError:
    details = getattr(error, "errors", None)
    if details is None:
        return UnfitError(f"{type(error).__name__} was raised while it was read")
    first = details(include_url=False, include_context=False, include_input=False)[0]
    path = "".join(f"[{at}]" if isinstance(at, int) else f".{at}" for at in first["loc"])
    return UnfitError(first["msg"], path)
