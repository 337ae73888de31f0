"""Facts about queues as a whole, and about closing."""

from __future__ import annotations

from ltq_core.testing.lab import OTHER, QUEUE, Lab, label
from ltq_core.testing.suite import Conformance, fact

LONG = "a:" + 498 * "x"  # more than a column or a file's name often holds

SIMILAR = (
    *("*", "%", "a:*", "a:%", "a:?", "a:_", "a:[bc]", "a_b", "a.b"),  # patterns for others
    *("a", "a:", "a:b", "a:bc", "a:b:c", "a:b ", "a/b"),
    *(
        "a%3Ab",
        "a+b",
        "a b",
        "a  b",
        "a:b#c",
        "a:b.",
        "a\\b",
        "a'b",
        "a''b",
        "%s",
        "&amp;",
        "&",
    ),
    *("a:B", "A:b", "a:e", "a:e\u0301", "a:é", LONG + "1", LONG + "2"),
)
"""Names that a store takes for one if it matches, cuts, joins, folds, unescapes or normalizes
them. A name stands before those that its clear would reach then."""


class QueueFacts(Conformance):
    """size, clear and close."""

    @fact
    async def test_size_counts_what_waits(self, lab: Lab) -> None:
        """size counts due and delayed messages, and not those in flight."""
        await lab.publish("a", "b")
        await lab.publish("c", delay=3600)
        await lab.consume()

        assert await lab.broker.size(QUEUE) == 2

    @fact
    async def test_size_of_an_unknown_queue_is_zero(self, lab: Lab) -> None:
        """A queue that never held anything has the size 0."""
        assert await lab.broker.size("never:seen") == 0

    @fact
    async def test_clear_removes_all_that_waits(self, lab: Lab) -> None:
        """clear removes due and delayed messages."""
        await lab.publish("a")
        await lab.publish("b", delay=3600)
        await lab.broker.clear(QUEUE)

        assert await lab.broker.size(QUEUE) == 0
        assert await lab.rest() == []

    @fact
    async def test_clear_leaves_other_queues(self, lab: Lab) -> None:
        """clear touches no other queue."""
        await lab.publish("a", queue=OTHER)
        await lab.broker.clear(QUEUE)

        assert await lab.rest(OTHER) == ["a"]

    @fact
    async def test_similar_names_are_different_queues(self, lab: Lab) -> None:
        """Each queue hands out its own messages, however much its name is like another's."""
        for name in SIMILAR:
            await lab.publish(f"to {name}", queue=name)
        sizes = [await lab.broker.size(name) for name in SIMILAR]
        taken = [await lab.take(1, queue=name) for name in SIMILAR]

        assert sizes == [1] * len(SIMILAR)
        assert taken == [[f"to {name}"] for name in SIMILAR]

    @fact
    async def test_clear_leaves_similar_names(self, lab: Lab) -> None:
        """clear touches no queue whose name is like its own, or matches it as a pattern."""
        for name in SIMILAR:
            await lab.publish("a", queue=name)
        for number, name in enumerate(SIMILAR):
            assert await lab.broker.size(name) == 1, f"{name} went with {SIMILAR[:number]}"
            await lab.broker.clear(name)

    @fact
    async def test_clear_forgets_nothing_in_flight(self, lab: Lab) -> None:
        """A message in flight while its queue is cleared is still held, and can be nacked."""
        await lab.publish("a", "b")
        received = await lab.consume()
        await lab.broker.clear(QUEUE)
        await lab.broker.nack(received)

        assert await lab.rest() == ["a"]

    @fact
    async def test_clear_keeps_the_leases(self, lab: Lab) -> None:
        """A message in flight while its queue is cleared comes back if its worker leaves."""
        worker = await lab.connect()
        await lab.publish("a")
        await lab.consume(worker)
        await lab.broker.clear(QUEUE)
        await worker.close()

        assert await lab.rest() == ["a"]

    @fact
    async def test_clear_keeps_what_a_dead_worker_held(self, lab: Lab) -> None:
        """A message in flight while its queue is cleared comes back if its worker dies."""
        worker = await lab.holder("a")
        await lab.broker.clear(QUEUE)
        await lab.crash(worker)

        assert label(await lab.consume(within=lab.takeover)) == "a"

    @fact
    async def test_cleared_message_can_be_published_again(self, lab: Lab) -> None:
        """A cleared queue takes messages, the same ones too."""
        [sent] = await lab.publish("a")
        await lab.broker.clear(QUEUE)
        await lab.broker.publish(sent)

        assert await lab.rest() == ["a"]

    @fact
    async def test_closing_twice_is_harmless(self, lab: Lab) -> None:
        """close may be called twice, and before anything was done."""
        unused = await lab.connect()
        await unused.close()
        await unused.close()
        await lab.publish("a")
        await lab.broker.close()
        await lab.broker.close()

        assert label(await lab.consume(await lab.connect())) == "a"

    @fact
    async def test_closed_connection_opens_again(self, lab: Lab) -> None:
        """A call after close opens the broker again, leases included."""
        await lab.publish("a")
        await lab.consume()
        await lab.broker.close()
        await lab.publish("b")

        assert await lab.take(2) == ["a", "b"]

    @fact
    async def test_closing_leaves_other_connections_alone(self, lab: Lab) -> None:
        """A connection works on, and keeps what it holds, when another one closes."""
        other = await lab.connect()
        await lab.publish("a")
        received = await lab.consume()
        waiting = await lab.still_waits(lab.broker.consume(QUEUE))
        await other.close()
        await lab.broker.ack(received)
        await lab.publish("b")

        assert label(await lab.soon(waiting, "the waiting consume")) == "b"

    @fact
    async def test_waiting_messages_outlive_their_connection(self, lab: Lab) -> None:
        """What was published waits in the store when its producer is gone."""
        producer = await lab.peer()
        await producer.do(lambda broker: lab.publish("a", broker=broker))
        await producer.do(lambda broker: broker.close())

        assert label(await lab.consume()) == "a"

    @fact
    async def test_finished_queue_leaves_nothing_behind(self, lab: Lab) -> None:
        """When every message has ended and every worker is gone, the store is empty."""
        worker = await lab.connect()
        await lab.publish(*"abcdef")
        await lab.publish("delayed", delay=0.1)
        for _ in range(7):
            received = await lab.consume(worker)
            received.ctx["seen"] = received.ctx.get("seen", 0) + 1
            await worker.nack(received, delay=0.05)
        for _ in range(6):
            await worker.ack(await lab.consume(worker))
        await worker.nack(await lab.consume(worker), drop=True)
        await worker.close()
        await lab.broker.close()

        assert sorted(await self.leftovers()) == []
