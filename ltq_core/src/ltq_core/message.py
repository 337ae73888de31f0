"""`Message`, what a broker says of one it handed out, and the JSON form."""

from __future__ import annotations

import binascii
import os
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ltq_core.clock import now
from ltq_core.errors import DecodeError, EncodeError


class Delivery(msgspec.Struct):
    """What a broker knows of a message that it handed out.

    Attributes:
        receipt: Whatever the broker needs to settle the message; opaque to others.
        due_at: When the message became due, in seconds on the store's clock: the same
            time for one that stands at its old place again.
        claimed_at: When it was handed out, in seconds on the store's clock.
        crashes: Deliveries before this one that ended without being settled,
            because their worker died: each of them, also with a nack in between. What
            is published after the message ended, were it with its id, has none.
        lease_lost: True once the broker noticed that the lease ended: another
            worker may be running the message, and settling it changes nothing.
    """

    receipt: Any
    due_at: float
    claimed_at: float
    crashes: int = 0
    lease_lost: bool = False


def new_id() -> str:
    """A fresh message id: 96 random bits as 16 letters and digits.

    Short, because every waiting message takes its bytes; without the punctuation of plain
    base64, so that it can be named on a command line.
    """
    return binascii.b2a_base64(os.urandom(12), newline=False).translate(_PLAIN).decode()


# Two of the 64 signs stand for a letter that another one stands for too.
_PLAIN = bytes.maketrans(b"+/", b"pq")


def _new_ctx() -> dict[str, Any]:
    return {"created_at": round(now(), 3)}


@dataclass(slots=True)
class Message:
    """One request to run a task.

    Attributes:
        args: Positional arguments, as plain JSON values until the task is called.
        kwargs: Keyword arguments, likewise.
        task_name: ``worker:function``, which is also the queue's name.
        ctx: Survives retries. ``created_at`` (seconds since the epoch on the
            sender's clock) is set at creation; ``tries`` counts failed runs;
            ``due_at`` is when the message was first due, on the store's clock.
            Middleware may keep its own keys here, JSON values only.
        id: Unique for each message.
        delivery: What the broker says of a message that it handed out; None before.
            It is no part of the JSON form, of equality or of the repr.
    """

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    task_name: str = ""
    ctx: dict[str, Any] = field(default_factory=_new_ctx)
    id: str = field(default_factory=new_id)
    delivery: Delivery | None = field(default=None, compare=False, repr=False)
    _source: bytes | str | None = field(default=None, init=False, compare=False, repr=False)

    def to_json(self) -> bytes:
        """The message as UTF-8 JSON bytes.

        Raises:
            EncodeError: Something in it is no JSON value.
        """
        wire = _Wire(self.id, self.task_name, self.args, self.kwargs, self.ctx)
        try:
            return _encode(wire)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise EncodeError(
                f"Message {self.id} of '{self.task_name}' cannot be stored as JSON: {error}."
            ) from error

    @classmethod
    def from_json(cls, data: bytes | str) -> Message:
        """The message that *data* holds; unknown fields are ignored.

        Raises:
            DecodeError: It is no JSON, or no message. Nothing of it is ever executed.
        """
        try:
            wire = _decode(data)
        except (ValueError, TypeError, RecursionError, OverflowError) as error:
            raise DecodeError(f"These bytes are no message: {error}") from error
        ctx = wire.ctx
        if len(ctx) != 1 or type(ctx.get("created_at")) is not float:  # as it was sent
            _check(ctx)
        message = cls(wire.args, wire.kwargs, wire.task_name, ctx, wire.id)
        message._source = data
        return message


def as_it_came(message: Message) -> Message:
    """*message* as it was decoded, whatever was done to it since.

    One that was made in another way is returned itself.
    """
    return message if message._source is None else Message.from_json(message._source)


class _Wire(msgspec.Struct, omit_defaults=True):
    # Short and ordered for people who look into the store; empty parts are left out.
    id: str
    task_name: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = msgspec.field(default_factory=dict)
    ctx: dict[str, Any] = msgspec.field(default_factory=dict)


# What the worker calculates with: another producer may have written anything there.
_CTX = (("tries", int), ("created_at", (int, float)), ("due_at", (int, float)))


def _check(ctx: dict[str, Any]) -> None:
    for key, kind in _CTX:
        if not isinstance(ctx.get(key, 0), kind):
            raise DecodeError(f"These bytes are no message: ctx['{key}'] is no number")


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Wire).decode
