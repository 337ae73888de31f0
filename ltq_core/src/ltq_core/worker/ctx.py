"""What is stored of a message after a run, whatever the task did to it."""

from __future__ import annotations

from typing import Any

from ltq_core.errors import EncodeError
from ltq_core.message import Message, as_it_came

OWN = (
    "created_at",
    "due_at",
    "tries",
    "last_error",
    "history",
    "scheduled_for",
    "unique",
    "rate_key",
    "concurrency_key",
)
"""The keys that LTQ counts and decides by: no run changes them."""


def restored(message: Message, came: dict[str, Any]) -> dict[str, Any]:
    """The ctx of *message*, whose own keys of LTQ's are as they *came*, before the run."""
    left: Any = message.ctx
    own = {key: came[key] for key in OWN if key in came}
    if message.delivery is not None:
        own.setdefault("due_at", message.delivery.due_at)
    # Copied first: a plain function that outlasts its timeout may still be writing.
    theirs = dict(left) if isinstance(left, dict) else {}
    return own | {key: value for key, value in theirs.items() if key not in OWN}


def storable(message: Message, came: dict[str, Any]) -> dict[str, Any]:
    """The ctx that *message* came with and what was counted since, without what is no JSON.

    What it came with may have been changed in place, into anything.
    """
    own = {key: message.ctx[key] for key in OWN if key in message.ctx}
    return {key: value for key, value in (came | own).items() if _is_json({key: value})}


def restore_arguments(message: Message) -> None:
    """Let *message* have the arguments that it came with, whatever its run did to them."""
    whole = as_it_came(message)
    message.args, message.kwargs = whole.args, whole.kwargs


def _is_json(ctx: dict[str, Any]) -> bool:
    try:
        Message(ctx=ctx).to_json()
    except EncodeError:
        return False
    return True
