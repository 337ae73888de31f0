"""Facts about leases: how they end, and that a living worker's do not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ltq_core.testing.lab import A_MOMENT, CLOCKS, OTHER, QUEUE, Lab, label, labels
from ltq_core.testing.suite import Conformance, fact
from ltq_core.testing.waiting import wait_until
from ltq_core.worker.runs import DEFAULT_MAX_CRASHES

if TYPE_CHECKING:
    from ltq_core.message import Delivery, Message

LEASES = 3.0
"""For how many leases a message is held that must be kept."""

AGAIN = 2.0
"""Likewise for a later lease of a worker, of which is asked whether it is renewed at all."""


class LeaseFacts(Conformance):
    """At least once: a dead worker's messages come back, a living one's are its own."""

    @fact
    async def test_message_returns_when_its_lease_ends(self, lab: Lab) -> None:
        """A dead worker's message goes to one that asks for it later."""
        await lab.crash(await lab.holder("a"))

        assert label(await lab.consume(within=lab.takeover)) == "a"

    @fact
    async def test_waiting_consumer_gets_what_a_dead_worker_held(self, lab: Lab) -> None:
        """A consumer that waits when a worker dies is woken, though nothing else happens."""
        worker = await lab.holder("a")
        waiting = await lab.still_waits(lab.broker.consume(QUEUE), A_MOMENT)
        await lab.crash(worker)

        back = await lab.soon(waiting, "the consume that waited", lab.takeover)
        assert label(back) == "a"

    @fact
    async def test_all_messages_of_a_dead_worker_return(self, lab: Lab) -> None:
        """Everything that a dead worker held comes back, each message once."""
        names = [f"{number:02}" for number in range(40)]
        await lab.crash(await lab.holder(*names))
        back = await lab.take(len(names), within=lab.takeover)

        assert sorted([*back, *await lab.rest()]) == names

    @fact
    async def test_message_of_a_dead_worker_keeps_its_place(self, lab: Lab) -> None:
        """What a dead worker held goes before the backlog that stood behind it."""
        await lab.crash(await lab.holder("first"))
        await lab.publish(*(f"{number}" for number in range(100)))
        seen: list[str] = []
        # A backlog of five leases, worked off slowly: the old place lies before its end.
        while "first" not in seen and len(seen) < 100:
            seen += await lab.take(1)
            await asyncio.sleep(lab.lease / 20)

        assert "first" in seen, "it came back behind the whole backlog"

    @fact
    async def test_every_crash_is_counted(self, lab: Lab) -> None:
        """A delivery says how many ended with their worker, up to where one gives up."""
        await lab.publish("a")
        counts = []
        for _ in range(DEFAULT_MAX_CRASHES):
            victim = await lab.peer()
            await lab.soon(victim.hold(QUEUE), "consume() after a crash", lab.takeover)
            counts.append(_delivery(victim.held[0]).crashes)
            await lab.crash(victim)
        counts.append(_delivery(await lab.consume(within=lab.takeover)).crashes)

        assert counts == list(range(DEFAULT_MAX_CRASHES + 1))

    @fact
    async def test_nack_forgets_no_crash(self, lab: Lab) -> None:
        """Crashes are counted through a nack in between, with and without a delay."""
        await lab.crash(await lab.holder("a"))
        back = await lab.consume(within=lab.takeover)
        counts = [_delivery(back).crashes]
        for delay in (0, 0.05):
            await lab.broker.nack(back, delay)
            back = await lab.consume()
            counts.append(_delivery(back).crashes)

        assert counts == [1, 1, 1]

    @fact
    async def test_message_published_anew_has_no_crashes(self, lab: Lab) -> None:
        """An ack, a drop and a clear end a message's crashes, though its id comes again."""
        victim = await lab.holder("acked", "dropped", "cleared")
        await lab.crash(victim)
        acked, dropped, cleared = [await lab.consume(within=lab.takeover) for _ in range(3)]
        await lab.broker.ack(acked)
        await lab.broker.nack(dropped, drop=True)
        await lab.broker.nack(cleared)
        await lab.broker.clear(QUEUE)
        await lab.broker.publish_many(victim.held)
        anew = [await lab.consume() for _ in range(3)]

        assert [_delivery(each).crashes for each in anew] == [0, 0, 0]

    @fact
    async def test_message_of_a_dead_worker_keeps_its_due_time(self, lab: Lab) -> None:
        """What comes back from a dead worker says when it was due, not when it came back."""
        worker = await lab.holder("a")
        await lab.crash(worker)
        back = await lab.consume(within=lab.takeover)

        assert _delivery(back).due_at == pytest.approx(
            _delivery(worker.held[0]).due_at, abs=CLOCKS
        )

    @fact
    async def test_messages_of_a_dead_worker_keep_their_order(self, lab: Lab) -> None:
        """What a dead worker held stands again in the order in which it stood."""
        await lab.crash(await lab.holder("a", "b", "c"))
        first = await lab.consume(within=lab.takeover)
        await lab.broker.nack(first)
        await wait_until(lambda: _all_wait(lab, 3), lab.takeover, "all three wait again")

        assert await lab.take(3) == ["a", "b", "c"]

    @fact
    async def test_suspect_is_handed_out_alone(self, lab: Lab) -> None:
        """A message in flight at two crashes goes to a worker that holds nothing else."""
        await lab.crash(await lab.holder("suspect"))
        victim = await lab.peer()
        await lab.soon(victim.hold(QUEUE), "consume() after the first crash", lab.takeover)
        await lab.publish("busy")
        busy = await lab.consume()
        await lab.crash(victim)

        waiting = await lab.still_waits(lab.broker.consume(QUEUE), 1.5 * lab.lease)
        await lab.broker.ack(busy)
        suspect = await lab.soon(waiting, "consume() of a worker that holds nothing")
        assert suspect.delivery is not None
        assert (label(suspect), suspect.delivery.crashes) == ("suspect", 2)

        await lab.publish("innocent")
        waiting = await lab.still_waits(lab.broker.consume(QUEUE))
        await lab.broker.ack(suspect)
        assert label(await lab.soon(waiting, "consume() after the suspect")) == "innocent"

    @fact
    async def test_lease_of_a_living_worker_is_kept(self, lab: Lab) -> None:
        """Messages held for several leases go to nobody else, however many they are."""
        worker = await lab.holder(*(f"{number}" for number in range(30)))
        waiting = await lab.still_waits(lab.broker.consume(QUEUE), LEASES * lab.lease)
        waiting.cancel()
        lost = await worker.do(lambda broker: broker.ack_many(worker.held))

        assert lost == []
        assert await lab.rest() == []

    @fact
    async def test_lease_of_a_worker_that_closed_once_is_kept(self, lab: Lab) -> None:
        """A broker that was closed and opens again renews its leases again."""
        worker = await lab.connect()
        await lab.publish("a", "b")
        await lab.take(1, worker)
        await worker.close()
        held = await lab.consume(worker)
        waiting = await lab.still_waits(lab.broker.consume(QUEUE), AGAIN * lab.lease)
        waiting.cancel()
        await worker.ack(held)

        assert await lab.rest() == []

    @fact
    async def test_lease_after_a_lost_one_is_kept(self, lab: Lab) -> None:
        """A worker that lost its lease takes new messages, and keeps and settles them."""
        late = await lab.fenced("a")
        await asyncio.sleep(0.5 * lab.lease)  # long enough for it to learn of it
        await lab.broker.ack(lab.stolen[0])
        await lab.publish("b")
        await lab.soon(late.hold(QUEUE), "consume() of a worker that lost its lease")
        waiting = await lab.still_waits(lab.broker.consume(QUEUE), AGAIN * lab.lease)
        waiting.cancel()
        await late.do(lambda broker: broker.ack(late.held[1]))

        assert label(late.held[1]) == "b"
        assert await lab.rest() == []

    @fact
    async def test_lease_of_a_blocked_worker_is_kept(self, lab: Lab) -> None:
        """A task that blocks the event loop for several leases keeps its message."""
        worker = await lab.holder("a")
        await worker.block()
        waiting = await lab.still_waits(lab.broker.consume(QUEUE), LEASES * lab.lease)
        waiting.cancel()
        worker.unblock()
        await worker.do(lambda broker: broker.ack(worker.held[0]))

        assert await lab.rest() == []

    @fact
    async def test_closing_gives_back_at_once(self, lab: Lab) -> None:
        """What a worker still holds when it closes comes back, and counts as no crash."""
        worker = await lab.connect()
        await lab.publish("a", "b")
        await lab.consume(worker)
        await worker.close()
        back = await lab.consume()

        assert back.delivery is not None
        assert (label(back), back.delivery.crashes) == ("a", 0)

    @fact
    async def test_closing_gives_back_untouched(self, lab: Lab) -> None:
        """What comes back at close is as it was stored, whatever its run did to it."""
        worker = await lab.connect()
        [sent] = await lab.publish("a")
        held = await lab.consume(worker)
        due = _delivery(held).due_at
        held.args, held.ctx["tries"] = ("changed",), 1
        await worker.close()
        back = await lab.consume()

        assert back == sent
        assert _delivery(back).due_at == pytest.approx(due, abs=CLOCKS)

    @fact
    async def test_release_gives_back_what_nobody_was_given(self, lab: Lab) -> None:
        """What consume_many leased ahead comes back at release, and counts as no crash."""
        worker = await lab.connect()
        await lab.publish("a", "b", "c")
        await lab.publish("d", "e", "f", queue=OTHER)
        given = labels(await lab.soon(worker.consume_many([QUEUE, OTHER], 1), "consume_many"))
        await asyncio.sleep(A_MOMENT)  # for what the broker may do ahead
        await worker.release()
        back = [await lab.consume(queue=queue) for queue in 2 * [QUEUE] + 2 * [OTHER]]

        expected = [name for name in "abcdef" if name not in given]
        assert sorted(labels(back) + await lab.rest() + await lab.rest(OTHER)) == expected
        assert [_delivery(each).crashes for each in back] == [0, 0, 0, 0]

    @fact
    async def test_release_keeps_what_was_given(self, lab: Lab) -> None:
        """What consume_many returned stays leased at release: its runs go on."""
        worker = await lab.connect()
        await lab.publish("a")
        given = await lab.soon(worker.consume_many([QUEUE, OTHER], 1), "consume_many")
        await worker.release()
        waiting = await lab.still_waits(lab.broker.consume(QUEUE))
        waiting.cancel()

        assert await worker.ack_many(given) == []


def _delivery(message: Message) -> Delivery:
    assert message.delivery is not None
    return message.delivery


async def _all_wait(lab: Lab, count: int) -> bool:
    return await lab.broker.size(QUEUE) == count
