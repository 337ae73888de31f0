"""`Tap`: a broker that passes everything on to another one, takes notes, and can fail."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from copy import copy
from typing import TYPE_CHECKING, Any

from ltq_core.abilities import ABILITIES
from ltq_core.broker import Broker
from ltq_core.errors import BrokerUnavailableError, LeaseLostError
from ltq_core.message import as_it_came
from ltq_core.testing.lives import Life
from ltq_core.testing.record import Sent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ltq_core.dead_letter import DeadLetter
    from ltq_core.message import Message
    from ltq_core.testing.faults import Faults
    from ltq_core.testing.record import Report


class Tap(Broker):
    """A worker's or a schedule's way to the store of a `Harness`.

    Args:
        url: Where the store is; it must offer all abilities, as ``memory://`` does.
        lease: Its lease in seconds.
        faults: What goes wrong.
        report: Where to note what is sent and what is given up.
        settled: Called whenever a message was settled.
    """

    def __init__(
        self,
        url: str,
        lease: float,
        faults: Faults,
        report: Report,
        settled: Callable[[], None],
    ) -> None:
        self.lease = lease
        self.life: Life | None = None
        self._url = url
        self._inner: Any = Broker.from_url(url)
        self._faults = faults
        self._report = report
        self._settled = settled
        self._as_handed_out: dict[str, Message] = {}
        self._again: deque[Message] = deque()
        self._claim: asyncio.Future[list[Message]] | None = None
        self._lapses: set[asyncio.Task[None]] = set()
        faults.on_away(self._interrupt)

    def begin(self) -> Life:
        """Let a worker's life begin, with a lease of its own."""
        self._inner = Broker.from_url(self._url)
        self._as_handed_out.clear()
        self._again.clear()
        self.life = Life()
        return self.life

    @property
    def dead(self) -> bool:
        """Whether the worker was killed and did not begin anew yet."""
        return self.life is not None and self.life.dead

    @property
    def quiet(self) -> bool:
        """Whether nothing waits here to be handed out."""
        return not self._again

    # Sending

    async def publish(self, message: Message, delay: float = 0) -> None:
        await self.publish_many([message], delay)

    async def publish_many(self, messages: Sequence[Message], delay: float = 0) -> None:
        self._faults.check()
        await self._inner.publish_many(messages, delay)
        self._report.sent.extend(Sent.of(message, delay) for message in messages)

    async def publish_unique(
        self, message: Message, key: str, hold: float = 0, delay: float = 0
    ) -> str:
        self._faults.check()
        standing: str = await self._inner.publish_unique(message, key, hold, delay)
        if standing == message.id:
            self._report.sent.append(Sent.of(message, delay))
        return standing

    async def publish_tick(self, job: str, tick: float, message: Message) -> bool:
        self._faults.check()
        published: bool = await self._inner.publish_tick(job, tick, message)
        if published:
            self._report.sent.append(Sent.of(message))
        return published

    # Claiming

    async def consume(self, queue: str) -> Message:
        return (await self.consume_many([queue], 1))[0]

    async def consume_many(
        self, queues: Sequence[str], limit: int, acks: Sequence[Message] = ()
    ) -> list[Message]:
        if acks:
            await self.ack_many(acks)
        if self.dead:
            await asyncio.get_running_loop().create_future()  # until it is cancelled
        if self._again:
            return [self._again.popleft() for _ in range(min(limit, len(self._again)))]
        messages = await self._claimed(queues, limit)
        for message in messages:
            self._as_handed_out[message.id] = twin = _twin(message)
            if self._faults.strikes("deliver_twice", message):
                self._again.append(twin)
        if any(self._faults.strikes("kill_before", message) for message in messages):
            await self._faults.kill_here()
        return messages

    async def _claimed(self, queues: Sequence[str], limit: int) -> list[Message]:
        self._faults.check()
        claim: asyncio.Future[list[Message]]
        claim = self._claim = asyncio.ensure_future(self._inner.consume_many(queues, limit))
        try:
            return await claim
        except asyncio.CancelledError:
            if self._claim is claim:
                raise
            raise BrokerUnavailableError("A fault switch cut a claim short.") from None
        finally:
            self._claim = None

    def _interrupt(self) -> None:
        claim, self._claim = self._claim, None
        if claim is not None:
            claim.cancel()

    # Settling

    async def ack(self, message: Message) -> None:
        if await self.ack_many([message]):
            raise LeaseLostError(f"The lease on message {message.id} ended earlier.")

    async def ack_many(self, messages: Sequence[Message]) -> list[Message]:
        if not self._reaches(messages):
            return []
        arriving = []
        for message in messages:
            twin = self._as_handed_out.pop(message.id, None)
            if not self._faults.strikes("lose_ack", message):
                arriving.append(message)
            elif twin is not None:
                asyncio.get_running_loop().call_later(self.lease, self._lapse, twin)
        late: list[Message] = await self._inner.ack_many(arriving)
        self._settled()
        return late

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        if self._reaches([message]):
            try:
                await self._inner.nack(message, delay, drop)
            finally:
                self._settled()

    async def bury(self, message: Message, letter: DeadLetter) -> None:
        if self._reaches([message]):
            try:
                await self._inner.bury(message, letter)
                self._report.dead.append(letter)
            finally:
                self._settled()

    def _reaches(self, messages: Sequence[Message]) -> bool:
        """Whether the store is told that *messages* are settled."""
        struck = any(self._faults.strikes("kill_after", message) for message in messages)
        if struck and self.life is not None:
            self.life.kill()
        if self.dead:
            return False
        self._faults.check()
        return True

    def _lapse(self, message: Message) -> None:
        # The lease of this one message ends: it returns as it was handed out.
        task = asyncio.get_running_loop().create_task(self._return(message))
        self._lapses.add(task)
        task.add_done_callback(self._lapses.discard)

    async def _return(self, message: Message) -> None:
        with suppress(LeaseLostError):  # the whole worker lost its lease meanwhile
            await self._inner.nack(message)

    # The rest

    async def size(self, queue: str) -> int:
        self._faults.check()
        size: int = await self._inner.size(queue)
        return size

    async def clear(self, queue: str) -> None:
        self._faults.check()
        await self._inner.clear(queue)
        self._settled()

    async def release(self) -> None:
        if not self.dead:
            await self._inner.release()

    async def close(self) -> None:
        if not self.dead:
            await self._inner.close()


def _twin(message: Message) -> Message:
    """*message* as it came, which is just now, under the same lease."""
    twin = as_it_came(message)
    twin.delivery = copy(message.delivery)
    return twin


def _passed_on(name: str) -> Any:
    async def call(self: Tap, *args: Any, **kwargs: Any) -> Any:
        self._faults.check()
        return await getattr(self._inner, name)(*args, **kwargs)

    return call


# Every other method of every ability is passed on as it is.
for _ability in ABILITIES:
    for _name in vars(_ability):
        if not _name.startswith("_") and not hasattr(Tap, _name):
            setattr(Tap, _name, _passed_on(_name))
