"""`MaxRate`: how many messages of a task may start per second, minute or hour."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from ltq_core.abilities import QueueLimits, Rate
from ltq_core.errors import DeferError
from ltq_core.middleware import Middleware, Options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ltq_core.message import Message
    from ltq_core.task import Task

_FORM = re.compile(r"([1-9]\d{0,8})/([smh])(?:;burst=([1-9]\d{0,8}))?", re.ASCII)
_PERIODS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def parse_max_rate(value: Any) -> Rate:
    """``"10/s"``, ``"100/m"`` or ``"1000/h"``, also with ``";burst=20"``."""
    found = _FORM.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"must look like '10/s', '10/m' or '10/h', not {value!r}.")
    count, period, burst = found.groups()
    return Rate(_PERIODS[period] / int(count), int(burst or 1))


class MaxRate(Middleware):
    """Spaces the starts of a task evenly.

    It declares the limit. Where the broker shares limits, the claim is gated by it,
    for all workers and processes together, and this middleware is left out of the
    stack. Elsewhere it limits this worker alone: a message that comes too early is
    deferred to the slot that it reserved.
    """

    options: ClassVar[Options] = {"max_rate": parse_max_rate}

    def __init__(self) -> None:
        self._slots: dict[tuple[str, str], float] = {}

    def limits(self, task: Task[Any, Any]) -> QueueLimits | None:
        """The limit that *task* declares."""
        rate = task.options.get("max_rate")
        return rate and QueueLimits(rate=rate, rate_keyed="rate_key" in task.options)

    def applies(self, task: Task[Any, Any]) -> bool:
        """Only to tasks that declare ``max_rate``."""
        return "max_rate" in task.options

    @asynccontextmanager
    async def __call__(self, message: Message, task: Task[Any, Any]) -> AsyncIterator[None]:
        """Defer a message that comes before its slot, once, to its slot."""
        if not message.ctx.pop("rate_slot_reserved", False):
            key = (task.name, message.ctx.get("rate_key", ""))
            wait = self._reserve(key, task.options["max_rate"])
            if wait > 0:
                message.ctx["rate_slot_reserved"] = True
                raise DeferError(wait, "waits for its slot of max_rate")
        yield

    def _reserve(self, key: tuple[str, str], rate: Rate) -> float:
        """Seconds until the next slot: a generic cell rate algorithm (ITU-T I.371)."""
        now = asyncio.get_running_loop().time()
        arrival = max(self._slots.pop(key, 0.0), now)
        self._slots[key] = arrival + rate.interval
        oldest = next(iter(self._slots))
        if self._slots[oldest] <= now:  # of a key that is used no more
            del self._slots[oldest]
        return max(0.0, arrival - (rate.burst - 1) * rate.interval - now)
