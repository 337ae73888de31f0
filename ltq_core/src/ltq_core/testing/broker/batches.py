"""Facts about consume_many, which is what a worker calls."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ltq_core.testing.fairness import assert_both_are_served
from ltq_core.testing.lab import A_MOMENT, OTHER, QUEUE, Lab, labels, message
from ltq_core.testing.suite import Conformance, fact

if TYPE_CHECKING:
    from ltq_core.broker import Broker
    from ltq_core.message import Message

BOTH = (QUEUE, OTHER)


class BatchFacts(Conformance):
    """Many messages of many queues in one call: bounded, fair, and nothing lost."""

    @fact
    async def test_batch_respects_its_limit(self, lab: Lab) -> None:
        """consume_many returns at most *limit* messages."""
        await lab.publish(*"abcdef")
        await lab.publish(*"ghijkl", queue=OTHER)

        assert 1 <= len(await _some(lab, 4)) <= 4

    @fact
    async def test_limit_of_one_brings_one(self, lab: Lab) -> None:
        """With a limit of 1 consume_many returns one message, and loses no other."""
        await lab.publish("a", "b")
        await lab.publish("c", "d", queue=OTHER)
        got = [await _some(lab, 1) for _ in "1234"]

        assert [len(each) for each in got] == [1, 1, 1, 1]
        assert sorted(labels([received for [received] in got])) == ["a", "b", "c", "d"]

    @fact
    async def test_large_limit_loses_nothing(self, lab: Lab) -> None:
        """A limit far above what waits is taken, and each message comes once."""
        names = [f"{number:03}" for number in range(150)]
        await lab.broker.publish_many([message(name) for name in names])

        assert await _drain(lab, lab.broker, 150, [QUEUE], limit=100_000) == names
        assert await lab.rest() == []

    @fact
    async def test_batch_does_not_wait_to_be_full(self, lab: Lab) -> None:
        """consume_many returns what there is."""
        await lab.publish("a")

        assert labels(await _some(lab, 10)) == ["a"]

    @fact
    async def test_batch_waits_for_its_first_message(self, lab: Lab) -> None:
        """consume_many waits while there is nothing, and any of its queues wakes it."""
        waiting = await lab.still_waits(lab.broker.consume_many(BOTH, 10))
        await lab.publish("a", queue=OTHER)

        assert labels(await lab.soon(waiting, "the waiting consume_many")) == ["a"]

    @fact
    async def test_batches_keep_the_order_of_a_queue(self, lab: Lab) -> None:
        """Within one queue, order holds across batches."""
        await lab.publish(*"abcdefghij")

        assert await _drain(lab, lab.broker, 10, [QUEUE]) == list("abcdefghij")

    @fact
    async def test_every_queue_gets_its_share(self, lab: Lab) -> None:
        """A queue with a backlog does not keep another from being served."""
        await lab.publish(*"aaaaaaaaaaaaaaaaaaaaaaaa")
        await lab.publish(*"bbbbbbbbbbbbbbbbbbbbbbbb", queue=OTHER)
        first = await _drain(lab, lab.broker, 24)

        assert first.count("a") >= 6, f"the first 24: {first}"
        assert first.count("b") >= 6, f"the first 24: {first}"

    @fact
    async def test_busy_queue_starves_no_other(self, lab: Lab) -> None:
        """While one queue is never empty, another one's messages come within two seconds."""
        for limit in (1, 10):
            await assert_both_are_served(lab, lab.broker, limit)

    @fact
    async def test_acks_of_a_claim_are_settled(self, lab: Lab) -> None:
        """What is passed as *acks* is settled when consume_many returns."""
        worker = await lab.connect()
        await lab.publish("a", "b")
        [first] = await lab.soon(worker.consume_many([QUEUE], 1), "consume_many")
        await lab.soon(worker.consume_many([QUEUE], 1, [first]), "consume_many")
        await worker.close()

        assert await lab.rest() == ["b"]

    @fact
    async def test_acks_are_settled_while_a_claim_waits(self, lab: Lab) -> None:
        """consume_many settles its *acks* before it waits for messages."""
        worker = await lab.connect()
        await lab.publish("a")
        acks = await lab.soon(worker.consume_many([QUEUE], 1), "consume_many")
        waiting = await lab.still_waits(worker.consume_many([OTHER], 1, acks))
        waiting.cancel()
        await worker.close()

        assert await lab.rest() == []

    @fact
    async def test_many_acks_settle_all(self, lab: Lab) -> None:
        """ack_many settles hundreds of messages in one call, and so does consume_many."""
        worker = await lab.connect()
        await lab.broker.publish_many([message(f"{number}") for number in range(520)])
        await lab.publish("next", queue=OTHER)
        received: list[Message] = []
        while len(received) < 520:
            received += await lab.soon(worker.consume_many([QUEUE], 520), "consume_many")
        lost = await worker.ack_many(received[:260])
        await lab.soon(worker.consume_many([OTHER], 1, received[260:]), "consume_many")
        await worker.close()

        assert lost == []
        assert await lab.rest() == []

    @fact
    async def test_no_acks_settle_nothing(self, lab: Lab) -> None:
        """ack_many of no messages does nothing."""
        worker = await lab.connect()
        await lab.publish("a")
        await lab.consume(worker)
        lost = await worker.ack_many([])
        await worker.close()

        assert lost == []
        assert await lab.rest() == ["a"]

    @fact
    async def test_settled_acks_hinder_no_others(self, lab: Lab) -> None:
        """ack_many settles what is held, though the rest is settled, or named twice."""
        worker = await lab.connect()
        await lab.publish(*"abcde")
        received = [await lab.consume(worker) for _ in "abcde"]
        for each in received[1::2]:
            await worker.nack(each, drop=True)
        await worker.ack_many([received[0], *received])
        await worker.close()

        assert await lab.rest() == []

    @fact
    async def test_settled_acks_count_as_lost(self, lab: Lab) -> None:
        """ack_many returns what was settled already, marked, and consume_many marks it."""
        worker = await lab.connect()
        await lab.publish(*"abcd")
        acked, nacked, dropped, held = [await lab.consume(worker) for _ in "abcd"]
        await worker.ack(acked)
        await worker.nack(nacked, delay=3600)
        await worker.nack(dropped, drop=True)
        lost = await worker.ack_many([acked, held, nacked, dropped])
        await lab.publish("next", queue=OTHER)
        await lab.soon(worker.consume_many([OTHER], 1, [held]), "consume_many")

        assert labels(lost) == ["a", "b", "c"]
        assert all(each.delivery and each.delivery.lease_lost for each in (*lost, held))
        assert await lab.broker.size(QUEUE) == 1

    @fact
    async def test_closing_gives_back_a_whole_batch(self, lab: Lab) -> None:
        """What consume_many leased comes back at close, returned to its caller or not."""
        worker = await lab.connect()
        await lab.publish("a", "b", "c")
        await lab.publish("d", "e", "f", queue=OTHER)
        await lab.soon(worker.consume_many(BOTH, 1), "consume_many")
        await asyncio.sleep(A_MOMENT)  # for what the broker may do ahead
        await worker.close()

        assert (await lab.rest(), await lab.rest(OTHER)) == (["a", "b", "c"], ["d", "e", "f"])

    @fact
    async def test_two_workers_share_without_doubles(self, lab: Lab) -> None:
        """Two workers that drain the same queues get each message once."""
        names = [f"{number:03}" for number in range(150)]
        await lab.publish(*names)
        await lab.publish(*(f"other {name}" for name in names), queue=OTHER)
        expected = sorted([*names, *(f"other {name}" for name in names)])
        seen: list[str] = []
        workers = [lab.broker, await lab.connect()]
        drains = [lab.start(_drain_into(seen, worker, len(expected))) for worker in workers]
        await lab.soon(asyncio.wait(drains, return_when=asyncio.FIRST_COMPLETED), "draining")

        assert sorted(seen) == expected


async def _some(lab: Lab, limit: int) -> list[Message]:
    return await lab.soon(lab.broker.consume_many(BOTH, limit), "consume_many")


async def _drain(
    lab: Lab,
    broker: Broker,
    count: int,
    queues: tuple[str, ...] | list[str] = BOTH,
    limit: int = 4,
) -> list[str]:
    seen: list[str] = []
    acks: list[Message] = []
    while len(seen) < count:
        acks = await lab.soon(broker.consume_many(queues, limit, acks), "consume_many")
        seen += labels(acks)
    await broker.ack_many(acks)
    return seen


async def _drain_into(seen: list[str], broker: Broker, count: int) -> None:
    acks: list[Message] = []
    while len(seen) < count:
        acks = await broker.consume_many(BOTH, 7, acks)
        seen += labels(acks)
    await broker.ack_many(acks)
