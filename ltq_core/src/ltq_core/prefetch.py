"""The claims of a broker without a `consume_many` of its own: one `consume` a queue."""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ltq_core.errors import LeaseLostError
from ltq_core.lifeline import PerLoop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ltq_core.broker import Broker
    from ltq_core.message import Message

# In the instance's dict, so that a subclass need not call super().__init__.
_KEPT_AS = "_ltq_prefetch"


class Prefetch:
    """One loop's pending `consume` calls, and the messages beyond a caller's limit."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._pending: dict[str, asyncio.Task[Message]] = {}
        self._ready: deque[Message] = deque()

    async def take(self, queues: Sequence[str], limit: int) -> list[Message]:
        """Wait for 1 to *limit* messages across *queues*.

        Raises:
            Exception: What a `consume` raised, while no other brought a message.

        Cancellation:
            Loses nothing: the calls go on, and the next `take` returns what they bring.
        """
        self._ready = deque(filter(_is_leased, self._ready))
        if self._ready:  # to wait for more would lease more than is returned
            self._collect()
        while not self._ready:
            for queue in queues:
                if queue not in self._pending:
                    self._pending[queue] = asyncio.ensure_future(self._broker.consume(queue))
            # asyncio.wait, unlike a plain await, leaves the calls alone when cancelled.
            await asyncio.wait(self._pending.values(), return_when=asyncio.FIRST_COMPLETED)
            self._collect()
        return [self._ready.popleft() for _ in range(min(limit, len(self._ready)))]

    def _collect(self) -> None:
        done = [queue for queue, call in self._pending.items() if call.done()]
        failure: BaseException | None = None
        for queue in done:
            call = self._pending.pop(queue)
            if (error := call.exception()) is not None:
                failure = error
            elif _is_leased(call.result()):
                self._ready.append(call.result())
        if failure is not None and not self._ready:
            raise failure

    async def give_back(self) -> None:
        """End the calls, and return what they leased to its old place."""
        calls = list(self._pending.values())
        self._pending.clear()
        for call in calls:
            call.cancel()
        if calls:
            await asyncio.wait(calls)
        self._ready.extend(
            call.result() for call in calls if not call.cancelled() and not call.exception()
        )
        while self._ready:
            with suppress(LeaseLostError):  # then another worker has it already
                await self._broker.nack(self._ready.popleft())

    def discard(self) -> None:
        """Forget the calls: their loop is closed."""
        self._pending.clear()


def _is_leased(message: Message) -> bool:
    # What was kept for longer than the worker could renew it, another one may have.
    return message.delivery is None or not message.delivery.lease_lost


def kept(broker: Broker) -> PerLoop[Prefetch] | None:
    """What *broker* has of them, if it made any."""
    return broker.__dict__.get(_KEPT_AS)


def prefetch_of(broker: Broker) -> PerLoop[Prefetch]:
    """What *broker* has of them, made at the first use."""
    clients = kept(broker)
    if clients is None:
        made = PerLoop(lambda: Prefetch(broker), Prefetch.discard)
        clients = broker.__dict__.setdefault(_KEPT_AS, made)  # another thread may be first
    return clients


def giving_back(close: Any) -> Any:
    """*close*, which first gives back what no caller has seen yet."""

    @functools.wraps(close)
    async def close_after_giving_back(self: Broker) -> None:
        try:
            if (clients := kept(self)) is not None:
                await clients.close(Prefetch.give_back)
        finally:
            await close(self)

    return close_after_giving_back
