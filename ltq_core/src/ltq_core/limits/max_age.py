"""`MaxAge`: how long after it was first due a message may still be run."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from ltq_core.errors import RejectError
from ltq_core.middleware import Middleware, Options
from ltq_core.values import parse_duration

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ltq_core.message import Message
    from ltq_core.task import Task


class MaxAge(Middleware):
    """Rejects a message that was first due longer than `max_age` ago.

    Both times come from the broker's store (``ctx["due_at"]`` and the delivery's
    ``claimed_at``), so that no machine's wrong clock matters.
    """

    options: ClassVar[Options] = {"max_age": parse_duration}

    def applies(self, task: Task[Any, Any]) -> bool:
        """Only to tasks that declare ``max_age``."""
        return "max_age" in task.options

    @asynccontextmanager
    async def __call__(self, message: Message, task: Task[Any, Any]) -> AsyncIterator[None]:
        """Reject a message that is too old, before it is run."""
        delivery, limit = message.delivery, task.options["max_age"]
        if delivery is not None:
            age = delivery.claimed_at - message.ctx.get("due_at", delivery.due_at)
            if age > limit:
                raise RejectError(
                    f"due {age:.1f} s ago, and max_age is {limit:g} s", kind="expired"
                )
        yield
