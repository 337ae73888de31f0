"""All that one event loop keeps of a broker: links, sends, claims, leases."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ltq_core import BrokerError, BrokerUnavailableError, LeaseLostError, get_logger
from ltq_redis.claims import SUSPECT, Claims
from ltq_redis.consumer import Consumer
from ltq_redis.keys import keys_of
from ltq_redis.lease import Lease, reclaim
from ltq_redis.link import Link, retrying
from ltq_redis.publisher import Publisher
from ltq_redis.queue import Batch, Fate, QueueState, Receipt, receipt_of, sort_acks
from ltq_redis.reply import unique_key
from ltq_redis.scripts import SETTLE
from ltq_redis.waiter import Waiter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ltq_core import DeadLetter, Message, QueueLimits
    from ltq_redis.settings import Settings
    from ltq_redis.topology import Topology

log = get_logger("redis")

# How long a settling or an inspecting call tries again by itself, in seconds; the worker
# goes on after that.
PATIENCE = 2.0


class Session:
    """One loop's side of the broker, towards the server of one tag.

    Links are opened when they are first used: a producer has one, a worker three and
    the one of its lease thread.
    """

    def __init__(self, topology: Topology, tag: str, settings: Settings) -> None:
        def link() -> Link:
            return Link(lambda: topology.connect(tag), settings.timeout, settings.server)

        self._settings = settings
        self.link = link()
        self._sending, self._waiting = link(), link()
        self.publisher = Publisher(self._sending, settings)
        self._queues: dict[str, QueueState] = {}
        self._waiter = Waiter(self._waiting, self.link, self._queues)
        self._claims = Claims(self.link, settings, self._queues, self._bury_bytes)
        self._consumer = Consumer(self._claims, self._waiter, self._queues)
        self._lease = Lease(topology, tag, settings, self._queues, self._waiter.poke)

    async def consume_many(
        self,
        names: Sequence[str],
        limit: int,
        acks: Sequence[Message],
        limits: dict[str, QueueLimits],
    ) -> list[Message]:
        """See `Broker.consume_many`."""
        queues = [self._queue(name, limits) for name in names]
        self._lease.start()
        done, special = sort_acks(acks)
        for message in special:
            await self._settle_or_mark(message)
        return await self._consumer.take(queues, limit, done)

    async def ack_many(self, messages: Sequence[Message]) -> list[Message]:
        """See `Broker.ack_many`."""
        done, special = sort_acks(messages)
        if done:
            await self._claims.ack(done)
        for message in special:
            await self._settle_or_mark(message)
        return [one for one in messages if one.delivery is not None and one.delivery.lease_lost]

    async def settle(self, message: Message, fate: Fate) -> None:
        """End the lease on *message* in one step; see ``settle.lua``.

        Raises:
            LeaseLostError: Somebody else has it; nothing was changed.
            BrokerUnavailableError: Redis stayed away.
        """
        receipt = receipt_of(message)
        id_, key = ("", "") if receipt.plain else unique_key(receipt.raw)
        held = await self._settle(receipt, fate, id_, key)
        self._let_go(receipt)
        if not held and message.delivery is not None:
            message.delivery.lease_lost = True
        if message.delivery is not None and message.delivery.lease_lost:
            raise LeaseLostError(f"The lease on message {message.id} was lost.")

    async def release(self) -> None:
        """Give back what was claimed but not returned, and wait for nothing more."""
        await self._waiter.leave()
        await self._claims.turns.leave()
        await self._claims.recover()
        for message in self._consumer.unreturned():
            try:
                await self.settle(message, Fate("place", receipt_of(message).raw))
            except LeaseLostError:
                log.debug("%s went to another worker", message.id)

    async def close(self) -> None:
        """Give back everything that is leased, and close the links."""
        try:
            await self._waiter.close()
            self._waiter.fail(BrokerUnavailableError("The broker was closed."))
            await self._lease.stop()
            self.publisher.close()
            await self._waiter.leave()
            await self._claims.turns.leave()
            for queue in self._queues.values():
                for batch in list(queue.batches.values()):
                    await self._give_up(batch)
        finally:
            self._claims.turns.close()
            self._lease.discard()
            for link in (self.link, self._sending, self._waiting):
                await link.end()

    def discard(self) -> None:
        """Drop everything: the loop is closed, and its leases end by themselves."""
        self._claims.turns.close()
        self._lease.discard()
        for link in (self.link, self._sending, self._waiting):
            link.drop()

    async def _give_up(self, batch: Batch) -> None:
        keys, worker = batch.queue.keys, batch.worker
        await retrying(lambda: reclaim(self.link, keys, worker, died=False), PATIENCE)
        batch.lose()

    def _queue(self, name: str, limits: dict[str, QueueLimits]) -> QueueState:
        queue = self._queues.get(name)
        if queue is None:
            keys = keys_of(name, self._settings.prefix, self._settings.tagged)
            queue = self._queues[name] = QueueState(name, keys, limits.get(name))
        return queue

    async def _settle_or_mark(self, message: Message) -> None:
        try:
            await self.settle(message, Fate("ack"))
        except LeaseLostError:
            log.debug("%s was settled by nobody here", message.id)
        except BrokerUnavailableError:
            raise
        except BrokerError as error:  # a key of the wrong type: other messages go on
            log.error("Message %s stays leased: %s", message.id, error)

    async def _bury_bytes(self, receipt: Receipt, letter: DeadLetter) -> None:
        await self._settle(receipt, Fate.dead(letter))

    async def _settle(self, receipt: Receipt, fate: Fate, id_: str = "", key: str = "") -> bool:
        """Whether W held the message, as far as can be told."""
        batch, settings = receipt.batch, self._settings
        names = batch.queue.keys
        keys = [names.queue, batch.processing, names.workers, names.deliveries]
        keys += [names.suspects, names.wake, names.dead, names.letters, names.running]
        keys += [names.parked, names.reserved, names.unique(key) if id_ else names.queue]
        args: list[Any] = [batch.worker, receipt.raw, *fate]
        args += [settings.dead_letters, settings.dead_letter_age, id_]
        calls = 0
        batch.settling += 1

        async def call() -> Any:
            nonlocal calls
            calls += 1
            return await self.link.run(SETTLE, keys, args)

        try:
            held = bool(await retrying(call, PATIENCE))
        except (BrokerUnavailableError, asyncio.CancelledError):
            batch.doubtful.add(receipt.raw)
            raise
        finally:
            batch.settling -= 1
        # A call that is sent again after a lost reply finds nothing, and is no loss.
        return held or calls > 1 or receipt.raw in batch.doubtful

    def _let_go(self, receipt: Receipt) -> None:
        """Forget a message that the server no longer knows as held here."""
        message = receipt.batch.settle(receipt.raw)
        if message is not None and message.delivery and message.delivery.crashes >= SUSPECT:
            self._waiter.poke()
