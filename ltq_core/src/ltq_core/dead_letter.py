"""The form of a dead letter: what is kept of a message that was given up."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from typing import Literal, get_args

import msgspec

from ltq_core.errors import DecodeError, EncodeError
from ltq_core.logger import printable
from ltq_core.message import Message

Reason = Literal[
    "rejected", "failed", "tries_exhausted", "expired", "crashed", "undecodable", "unknown_task"
]
REASONS: tuple[Reason, ...] = get_args(Reason)

_BODY = 2000  # bytes kept of what could not be decoded: enough to recognize its writer


@dataclass(slots=True)
class DeadLetter:
    """A message that was given up, and why.

    Attributes:
        id: The message's id; of one that could not be decoded, the first 16 hex
            digits of its bytes' SHA-256.
        queue: Where it waited.
        reason: One of `REASONS`, or a word that only a newer version knows.
        died_at: Seconds since the epoch, on the store's clock where it has one.
        message: The whole message, or None if it could not be decoded.
        body: The first bytes of what could not be decoded, as escaped text.
        error_type: The exception's class, or "".
        error: The exception's text, cut.
        traceback: The end of its traceback, or "".
        tries: Failed runs.
        crashes: Deliveries that ended with their worker.
        created_at: When the message was created, or None.
        worker: Who gave it up.
        host: Where that ran.
    """

    id: str
    queue: str
    reason: str
    died_at: float
    message: Message | None = None
    body: str = ""
    error_type: str = ""
    error: str = ""
    traceback: str = ""
    tries: int = 0
    crashes: int = 0
    created_at: float | None = None
    worker: str = ""
    host: str = ""

    def to_json(self) -> bytes:
        """The letter as UTF-8 JSON bytes, its message embedded.

        Raises:
            EncodeError: Something in it is no JSON value.
        """
        fields = {name: getattr(self, name) for name in self.__slots__ if name != "message"}
        if self.message is not None:
            fields["message"] = msgspec.Raw(self.message.to_json())
        try:
            return msgspec.json.encode(fields)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise EncodeError(
                f"Dead letter {self.id!r} of '{self.queue}' cannot be stored as JSON: {error}."
            ) from error

    @classmethod
    def from_json(cls, data: bytes | str) -> DeadLetter:
        """The letter that *data* holds; unknown fields are ignored.

        Raises:
            DecodeError: It is no dead letter.
        """
        try:
            wire = msgspec.json.decode(data, type=_Letter)
        except (ValueError, RecursionError) as error:
            raise DecodeError(f"These bytes are no dead letter: {error}") from error
        fields = {name: getattr(wire, name) for name in _Letter.__struct_fields__}
        raw = fields.pop("message")
        return cls(**fields, message=Message.from_json(bytes(raw)) if bytes(raw) else None)


class _Letter(msgspec.Struct):
    id: str
    queue: str
    reason: str
    died_at: float
    message: msgspec.Raw = msgspec.Raw()
    body: str = ""
    error_type: str = ""
    error: str = ""
    traceback: str = ""
    tries: int = 0
    crashes: int = 0
    created_at: float | None = None
    worker: str = ""
    host: str = ""


def revived(letter: DeadLetter) -> Message | None:
    """The message that requeueing *letter* publishes; None if it holds no message.

    It starts anew: no tries, no due time. What happened is kept in
    ``ctx["history"]``, the ten latest deaths, oldest first.
    """
    if letter.message is None:
        return None
    ctx = {k: v for k, v in letter.message.ctx.items() if k not in ("tries", "due_at")}
    death = {
        "reason": letter.reason,
        "error": f"{letter.error_type}: {letter.error}".strip(": "),
        "tries": letter.tries,
        "died_at": letter.died_at,
    }
    history = ctx.get("history")
    ctx["history"] = [*(history if isinstance(history, list) else ()), death][-10:]
    message = letter.message
    return Message(message.args, message.kwargs, message.task_name, ctx, message.id)


def undecodable(
    queue: str, data: bytes, error: DecodeError, died_at: float, worker: str = ""
) -> DeadLetter:
    """The letter for stored *data* that is no message."""
    return DeadLetter(
        id=hashlib.sha256(data).hexdigest()[:16],
        queue=queue,
        reason="undecodable",
        died_at=died_at,
        body=printable(data[:_BODY].decode(errors="backslashreplace"), _BODY),
        error_type=type(error).__name__,
        error=printable(error),
        worker=worker,
        host=platform.node(),
    )
