"""Sends of one event loop: what arrives while one is under way travels in the next."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from ltq_core import BrokerError, BrokerUnavailableError
from ltq_redis.link import Link, retrying
from ltq_redis.scripts import PUBLISH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ltq_redis.keys import QueueKeys
    from ltq_redis.scripts import Script
    from ltq_redis.settings import Settings

# Bounds of one call: Lua's limit on what unpack can push, a server that should not be
# held up for long, and the memory that Lua keeps after a large call.
MOST_MESSAGES = 250
MOST_BYTES = 1 << 20
# How long a send tries again, in seconds; a restart of the server takes about that long.
PATIENCE = 5.0
# How long a send waits for replicas, in seconds. A guess: long for replication, short for
# a sender.
REPLICATION = 1.0


class Parcel(NamedTuple):
    """One message on its way."""

    keys: QueueKeys
    raw: bytes
    delay: float


Waiting = tuple[Parcel, "asyncio.Future[None]"]


class Publisher:
    """Group commit over one link; a send returns when its own message is stored."""

    def __init__(self, link: Link, settings: Settings) -> None:
        self._link = link
        self._wait = settings.wait
        self._busy = False
        self._waiting: list[Waiting] = []
        self._drain: asyncio.Task[None] | None = None

    async def send(self, parcel: Parcel) -> None:
        """Store one message.

        Raises:
            BrokerUnavailableError: Redis stayed away; the message may be stored.
            BrokerError: Redis refused it.
        """
        if self._busy:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((parcel, future))
            await future
            return
        self._busy = True
        try:
            error = (await self._store([parcel]))[0]
        finally:
            self._busy = False
            # Where a loop ends, all are cancelled: then nothing may be started any more.
            self._waiting = [one for one in self._waiting if not one[1].done()]
            if self._waiting:
                self._start_drain()
        if error is not None:
            raise error

    async def send_many(self, parcels: Sequence[Parcel]) -> None:
        """Store messages in their order, a bounded number at a time.

        Raises:
            BrokerUnavailableError: Redis stayed away; some may be stored.
            BrokerError: Redis refused one.
        """
        for batch in _batches(parcels):
            for error in await self._store(batch):
                if error is not None:
                    raise error

    def close(self) -> None:
        """Fail what still waits."""
        if self._drain is not None:
            self._drain.cancel()
        _fail(self._waiting)
        self._waiting.clear()

    async def run(self, script: Script, keys: list[str], args: list[Any]) -> Any:
        """Run a script that stores messages, until enough replicas have them.

        Raises:
            BrokerUnavailableError: Redis stayed away, or too few replicas answered.
            BrokerError: Redis refused the script.
        """
        return await retrying(lambda: self._run(script, keys, args), PATIENCE)

    async def _run(self, script: Script, keys: list[str], args: list[Any]) -> Any:
        reply = await self._link.run(script, keys, args)
        if self._wait:
            opened = self._link.opened
            limit = round(1000 * REPLICATION)
            reached = await self._link.call("WAIT", self._wait, limit, patience=REPLICATION)
            # Only the connection that stored something knows what to wait for.
            if reached < self._wait or self._link.opened != opened:
                raise BrokerUnavailableError(
                    f"The message reached {reached} of {self._wait} replicas "
                    f"within {REPLICATION:g} s."
                )
        return reply

    def _start_drain(self) -> None:
        self._busy = True
        self._drain = asyncio.get_running_loop().create_task(self._drain_waiting())

    async def _drain_waiting(self) -> None:
        waiting: list[Waiting] = []
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                await self._send_waiting(waiting)
        finally:
            self._busy = False
            _fail(waiting)

    async def _send_waiting(self, waiting: list[Waiting]) -> None:
        # A sender that was cancelled may still find its message stored: it may have been.
        start = 0
        for batch in _batches([parcel for parcel, _ in waiting]):
            futures = [future for _, future in waiting[start : start + len(batch)]]
            start += len(batch)
            try:
                errors: Sequence[Exception | None] = await self._store(batch)
            except BrokerError as error:
                errors = [error] * len(batch)
            for future, one in zip(futures, errors, strict=True):
                if future.done():
                    continue
                if one is None:
                    future.set_result(None)
                else:
                    # One for each: a raised exception gathers its raiser's traceback.
                    future.set_exception(type(one)(*one.args))

    async def _store(self, batch: Sequence[Parcel]) -> list[BrokerError | None]:
        """Store *batch* in one call; what went wrong with each message."""
        places: dict[str, int] = {}
        keys: list[str] = []
        args: list[Any] = []
        for parcel in batch:
            name = parcel.keys.queue
            place = places.get(name)
            if place is None:
                place = places[name] = len(places) + 1
                keys += (name, parcel.keys.wake)
            args += (place, parcel.delay, parcel.raw)
        answers = await self.run(PUBLISH, keys, args)
        errors = [_error(answer.decode()) if answer else None for answer in answers]
        return [errors[places[parcel.keys.queue] - 1] for parcel in batch]


def _fail(waiting: Sequence[Waiting]) -> None:
    for _, future in waiting:
        if not future.done():
            future.set_exception(BrokerUnavailableError("The broker was closed."))


def _batches(parcels: Sequence[Parcel]) -> list[Sequence[Parcel]]:
    if len(parcels) <= MOST_MESSAGES and sum(len(one.raw) for one in parcels) <= MOST_BYTES:
        return [parcels]
    batches: list[Sequence[Parcel]] = []
    batch: list[Parcel] = []
    size = 0
    for parcel in parcels:
        if batch and (len(batch) == MOST_MESSAGES or size + len(parcel.raw) > MOST_BYTES):
            batches.append(batch)
            batch, size = [], 0
        batch.append(parcel)
        size += len(parcel.raw)
    return [*batches, batch]


def _error(text: str) -> BrokerError:
    if "OOM" in text:
        return BrokerUnavailableError(f"Redis cannot store a message now: {text}")
    return BrokerError(f"Redis refused a message: {text}")
