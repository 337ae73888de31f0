"""`Settler`: tells the broker how runs ended, for as long as that takes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ltq_core.abilities import DeadLetters
from ltq_core.errors import EncodeError, LeaseLostError
from ltq_core.logger import describe, get_logger
from ltq_core.patience import patiently
from ltq_core.worker.ctx import restore_arguments, restored, storable
from ltq_core.worker.outcome import Again, Dead, Outcome, count_try, letter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from ltq_core.broker import Broker
    from ltq_core.message import Message

log = get_logger("worker")

# How long a finished run waits for the next claim to carry its ack, in seconds. A
# guess: more than a round trip to a near broker, and nothing that anybody notices.
ACK_LINGER = 0.002


class Settler:
    """Settles what has run: successes in batches, everything else one by one.

    Successes wait in `acks` for the next claim to carry them; while none comes, they
    travel alone. Whatever is not settled yet is repeated until the broker answers.
    """

    def __init__(self, broker: Broker, worker: str) -> None:
        self.acks: list[Message] = []
        self._broker = broker
        self._worker = worker
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._doubtful: set[str] = set()
        self._calls: set[asyncio.Task[None]] = set()

    def done(self, message: Message) -> None:
        """*message* ran without an error."""
        self.acks.append(message)
        if self._timer is None:
            self._timer = self._loop.call_later(ACK_LINGER, self._flush)

    def take(self) -> list[Message]:
        """The acks that a claim is about to carry."""
        acks, self.acks = self.acks, []
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return acks

    def restore(self, acks: list[Message]) -> None:
        """The claim that carried *acks* failed or was cut: settle again what may be settled."""
        if acks:
            self.acks[:0] = acks
            self._doubtful.update(message.id for message in acks)
            self._timer = self._timer or self._loop.call_later(ACK_LINGER, self._flush)

    def carried(self, acks: list[Message]) -> None:
        """The claim that carried *acks* was answered."""
        for message in acks:
            lost = message.delivery is not None and message.delivery.lease_lost
            if lost and message.id not in self._doubtful:
                _log_lost(message, "done")
        self._doubtful.difference_update(message.id for message in acks)

    def failed(
        self, message: Message, outcome: Outcome, ctx: dict[str, Any] | None = None
    ) -> None:
        """*message* did not succeed; *ctx* is what it was before the run, if there was one."""
        came = message.ctx if ctx is None else ctx
        if ctx is not None:
            message.ctx = restored(message, ctx)
        if isinstance(outcome, Again):
            self._spawn(self._again(message, outcome, came))
        else:
            self._spawn(self._bury(message, outcome, came))

    async def finish(self) -> None:
        """Wait until everything that ended so far is settled."""
        while self.acks or self._calls:
            if self.acks:
                self._flush()
            await asyncio.wait(self._calls)

    def close(self) -> None:
        """Give up what is not settled yet: it is redelivered when its lease ends."""
        self.take()
        for call in self._calls:
            call.cancel()

    def _flush(self) -> None:
        self._spawn(self._ack(self.take()))

    def _spawn(self, call: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(call)
        self._calls.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("A message could not be settled: %s", describe(error), exc_info=error)

    async def _ack(self, messages: list[Message]) -> None:
        for lost in await patiently(lambda: self._broker.ack_many(messages), "An ack"):
            if lost.id not in self._doubtful:
                _log_lost(lost, "done")
        self._doubtful.difference_update(message.id for message in messages)

    async def _again(self, message: Message, again: Again, came: dict[str, Any]) -> None:
        if again.error is None:
            log.debug("%s %s is deferred by %.1f s", message.task_name, message.id, again.delay)
        else:
            count_try(message, again.error)
            log.warning(
                "%s %s failed (try %d) and runs again in %.1f s: %s",
                message.task_name,
                message.id,
                message.ctx["tries"],
                again.delay,
                describe(again.error),
            )
        await self._nack(message, again.delay, came)

    async def _nack(self, message: Message, delay: float, came: dict[str, Any]) -> None:
        try:
            await self._store(
                message, came, lambda: self._broker.nack(message, delay), "A retry"
            )
        except LeaseLostError:
            _log_lost(message, "returned")

    async def _store(
        self,
        message: Message,
        came: dict[str, Any],
        call: Callable[[], Awaitable[None]],
        what: str,
    ) -> None:
        try:
            await patiently(call, what)
        except EncodeError as error:
            log.error(
                "%s %s goes on as it came: %s",
                message.task_name,
                message.id,
                describe(error),
            )
            restore_arguments(message)
            message.ctx = storable(message, came)
            await patiently(call, what)

    async def _bury(self, message: Message, dead: Dead, came: dict[str, Any]) -> None:
        _log_dead(message, dead)
        try:
            if isinstance(self._broker, DeadLetters):
                bury, note = self._broker.bury, letter(message, dead, self._worker)
                await self._store(message, came, lambda: bury(message, note), "A dead letter")
            else:
                await patiently(lambda: self._broker.nack(message, drop=True), "A drop")
        except LeaseLostError:
            _log_lost(message, "dropped")


def _log_dead(message: Message, dead: Dead) -> None:
    why = dead.text or (describe(dead.error) if dead.error is not None else dead.reason)
    if dead.reason in ("failed", "tries_exhausted"):
        log.error(
            "%s %s failed for good (%s): %s",
            message.task_name,
            message.id,
            dead.reason,
            why,
            exc_info=dead.error,
        )
    else:
        log.warning(
            "%s %s is dropped (%s): %s", message.task_name, message.id, dead.reason, why
        )


def _log_lost(message: Message, what: str) -> None:
    log.warning(
        "%s %s could not be %s: its lease was lost, and another worker has it or had it",
        message.task_name,
        message.id,
        what,
    )
