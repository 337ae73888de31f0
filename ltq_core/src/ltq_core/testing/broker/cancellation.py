"""Facts about calls that are cancelled: at every await, nothing is lost or doubled."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ltq_core.errors import LeaseLostError
from ltq_core.testing.cancelling import Cuts, cancelled, cut
from ltq_core.testing.lab import A_MOMENT, OTHER, QUEUE, Lab, label, labels, message
from ltq_core.testing.suite import Conformance, fact

if TYPE_CHECKING:
    from ltq_core.broker import Broker
    from ltq_core.message import Message


class CancellationFacts(Conformance):
    """A caller may be cancelled whenever it waits."""

    @fact
    async def test_cancelled_consume_loses_nothing(self, lab: Lab) -> None:
        """A consume that is cancelled while messages are there loses none of them."""
        cuts, names = Cuts(), Cuts.names
        await lab.publish(*names)
        got = [await cuts.cut(lab.broker.consume(QUEUE)) for _ in names]
        received = [each for each in got if each is not None]
        await lab.broker.ack_many(received)

        assert sorted(labels(received) + await lab.take(len(names) - len(received))) == names
        assert await lab.rest() == []

    @fact
    async def test_cancelled_waiting_consume_loses_nothing(self, lab: Lab) -> None:
        """A consume that is cancelled while a message comes in does not lose it."""
        cuts = Cuts()
        for name in cuts.names:
            waiting = await lab.still_waits(lab.broker.consume(QUEUE), A_MOMENT)
            await lab.publish(name)
            received = await cuts.cut(waiting) or await lab.consume()
            await lab.broker.ack(received)

            assert label(received) == name

    @fact
    async def test_waiting_consume_ends_when_it_is_cancelled(self, lab: Lab) -> None:
        """A consume that is cancelled while it waits ends: a worker that stops needs it to."""
        assert await cut(await lab.still_waits(lab.broker.consume(QUEUE), A_MOMENT)) is None

    @fact
    async def test_waiting_batch_ends_when_it_is_cancelled(self, lab: Lab) -> None:
        """A consume_many that is cancelled while it waits ends."""
        call = lab.broker.consume_many([QUEUE, OTHER], 3)

        assert await cut(await lab.still_waits(call, A_MOMENT)) is None

    @fact
    async def test_cancelled_batch_loses_nothing(self, lab: Lab) -> None:
        """A consume_many that is cancelled returns what it leased at its next call."""
        cuts = Cuts()
        names = [f"{number:03}" for number in range(3 * len(cuts.names))]
        await lab.publish(*names)
        seen: list[str] = []
        acks: list[Message] = []
        for _ in cuts.names:
            got = await cuts.cut(lab.broker.consume_many([QUEUE], 3, acks))
            if got is not None:
                seen += labels(got)
                acks = got
        while len(seen) < len(names):
            acks = await lab.soon(lab.broker.consume_many([QUEUE], 3, acks), "consume_many")
            seen += labels(acks)
        await lab.broker.ack_many(acks)

        assert sorted(seen) == names
        assert await lab.rest() == []

    @fact
    async def test_cancelled_consumer_passes_its_turn_on(self, lab: Lab) -> None:
        """Of two consumers that wait, cancelling one leaves the message to the other."""
        for turns in range(8):
            first = await lab.still_waits(lab.broker.consume(QUEUE), A_MOMENT)
            second = await lab.still_waits(lab.broker.consume(QUEUE), A_MOMENT)
            await lab.publish(f"{turns}")
            received = await cancelled(first, turns)
            if received is None:
                received = await lab.soon(
                    second, f"the other, {turns} turns after the publish,"
                )
            await cancelled(second, 0)
            await lab.broker.ack(received)

            assert label(received) == f"{turns}", f"cancelled after {turns} turns"

    @fact
    async def test_cancelled_publish_can_be_repeated(self, lab: Lab) -> None:
        """A publish that was cancelled and is repeated stores one message."""
        cuts = Cuts()
        for name in cuts.names:
            sent = message(name)
            await cuts.cut(lab.broker.publish(sent))
            await lab.broker.publish(sent)

        assert sorted(await lab.rest()) == cuts.names

    @fact
    async def test_cancelled_ack_can_be_repeated(self, lab: Lab) -> None:
        """An ack that was cancelled and is repeated settles the message."""
        worker, cuts = await lab.connect(), Cuts()
        for name in cuts.names:
            await lab.publish(name)
            received = await lab.consume(worker)
            await cuts.cut(worker.ack(received))
            with suppress(LeaseLostError):
                await worker.ack(received)
        await worker.close()

        assert await lab.rest() == []

    @fact
    async def test_cancelled_nack_can_be_repeated(self, lab: Lab) -> None:
        """A nack that was cancelled and is repeated leaves one message: it is one step."""
        worker, cuts = await lab.connect(), Cuts()
        for name in cuts.names:
            received = await _failed_run(lab, worker, name)
            await cuts.cut(worker.nack(received, delay=1))
            with suppress(LeaseLostError):
                await worker.nack(received, delay=1)
        await worker.close()

        assert await lab.broker.size(QUEUE) == len(cuts.names)
        assert await _all_of_them(lab) == cuts.names

    @fact
    async def test_cancelled_nack_loses_nothing(self, lab: Lab) -> None:
        """A nack that was cancelled happened wholly or not at all."""
        worker, cuts = await lab.connect(), Cuts()
        for name in cuts.names:
            received = await _failed_run(lab, worker, name)
            await cuts.cut(worker.nack(received, delay=1))
        await worker.close()

        assert await lab.broker.size(QUEUE) == len(cuts.names)
        assert await _all_of_them(lab) == cuts.names


async def _failed_run(lab: Lab, worker: Broker, name: str) -> Message:
    await lab.publish(name)
    received = await lab.consume(worker)
    received.ctx["tries"] = 1
    return received


async def _all_of_them(lab: Lab) -> list[str]:
    return sorted(await lab.take(len(Cuts.names), within=1 + lab.patience))
