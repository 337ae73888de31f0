"""Reads what the claim scripts return."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import msgspec

from ltq_core import DecodeError, Delivery, Message, printable
from ltq_redis.queue import Batch, Receipt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Found = tuple[bytes, float, int, float]
"""One claimed member: its bytes, when it was due (seconds on the server's clock), the
deliveries that ended with their worker, and the seconds until its reserved slot."""


def unpack(reply: Sequence[Any]) -> Iterator[Found]:
    """The members in a reply's first three values; see ``packed.lua``."""
    rows, crashes, waits = reply[:3]
    return zip(
        rows[::2],
        _numbers(rows[1::2]),
        crashes or itertools.repeat(0),
        map(float, waits) if waits else itertools.repeat(0.0),
        strict=False,
    )


def _numbers(texts: list[bytes]) -> list[Any]:
    try:
        return _decode(b"[%b]" % b",".join(texts))  # five times as quick as a float() for each
    except ValueError:  # an infinite score, which only others give, is no JSON
        return [float(one) for one in texts]


_decode = msgspec.json.Decoder(list[int | float]).decode


def open_message(found: Found, batch: Batch, now: float) -> Message:
    """The message in *found*, with its delivery.

    Raises:
        DecodeError: It is no message, or names another queue.
    """
    raw, due, crashes, _ = found
    queue, message = batch.queue, Message.from_json(raw)
    if message.task_name != queue.name:
        named = printable(message.task_name, 100)
        raise DecodeError(f"It stands in '{queue.name}' but names '{named}'.")
    plain = not crashes and queue.places_free and "unique" not in message.ctx
    message.delivery = Delivery(Receipt(raw, batch, plain), due, now, crashes)
    return message


def unique_key(raw: bytes) -> tuple[str, str]:
    """The id of a stored message and the unique key that it holds; empty if it holds none.

    From its bytes, not from its ctx, which the task may have changed meanwhile.
    """
    try:
        message = Message.from_json(raw)
        return message.id, str(message.ctx["unique"])
    except (DecodeError, KeyError):
        return "", ""


def text(value: Any) -> str:
    """A reply's bytes as text."""
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
