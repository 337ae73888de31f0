"""Facts about threads and event loops: one connection serves several."""

from __future__ import annotations

import asyncio
import selectors
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any, TypeVar

from ltq_core.testing.cancelling import cut, in_time
from ltq_core.testing.lab import (
    A_MOMENT,
    A_WHILE,
    OTHER,
    QUEUE,
    Lab,
    MakeBroker,
    label,
    message,
)
from ltq_core.testing.suite import Conformance, fact
from ltq_core.testing.watching import off_loop, run_watched

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from ltq_core.broker import Broker
    from ltq_core.message import Message

T = TypeVar("T")

SPINNING = 1000
"""Turns of the event loop in a second that a consume that waits must not reach: a broker
that looks again every 2 ms takes half of them, and one that spins a hundred thousand."""

BLOCKING = 0.05
"""Seconds by which a timer is late where a consume that waits blocks the event loop: a guess,
above what a loaded machine adds to most of them."""


LATER = 3.0
"""For how many leases a message is held in a later event loop: what renewed them for an
earlier one may go on for a while after its end."""


class LoopFacts(Conformance):
    """Many producers, consumers, threads and loops."""

    def test_connection_outlives_an_event_loop(self, make_broker: MakeBroker) -> None:
        """A connection made in one ``asyncio.run`` works in the next."""
        broker = run_watched(_call(make_broker()))
        run_watched(_call(broker.publish(message("a"))))
        run_watched(_call(broker.publish(message("b"))))

        async def take_two_and_close() -> list[str]:
            taken = [await _consume(broker, self.patience) for _ in "ab"]
            await broker.ack_many(taken)
            await broker.close()
            return [label(each) for each in taken]

        assert run_watched(take_two_and_close()) == ["a", "b"]

    def test_lease_outlives_an_event_loop(self, make_broker: MakeBroker) -> None:
        """A message consumed in one ``asyncio.run`` can be acked in the next."""
        broker = run_watched(_call(make_broker()))
        run_watched(_call(broker.publish(message("a"))))
        received = run_watched(_consume(broker, self.patience))

        async def ack_and_look() -> int:
            await broker.ack(received)
            await broker.close()
            again = await make_broker()
            try:
                return await again.size(QUEUE)
            finally:
                await again.close()

        assert run_watched(ack_and_look()) == 0

    @fact
    async def test_lease_in_a_later_event_loop_is_kept(self, lab: Lab) -> None:
        """A connection whose first event loop ended renews its leases in the next one."""
        worker = await lab.connect()
        await lab.publish("first", "second")
        await lab.soon(off_loop(partial(asyncio.run, _take(worker, self.patience))), "one loop")
        later = await lab.peer()
        later.broker = worker
        await lab.soon(later.hold(QUEUE), "consume() in a later event loop")
        waiting = await lab.still_waits(lab.broker.consume(QUEUE), LATER * lab.lease)
        waiting.cancel()

        assert await later.do(lambda broker: broker.ack_many(later.held)) == []

    @fact
    async def test_waiting_consume_holds_up_no_other_call(self, lab: Lab) -> None:
        """While a consume waits, every other call of its connection returns."""
        await lab.publish("a", "b")
        first, second = await lab.consume(), await lab.consume()
        await lab.still_waits(lab.broker.consume(OTHER), A_MOMENT)
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "publish": lambda: lab.broker.publish(message("c"), delay=3600),
            "publish_many": lambda: lab.broker.publish_many([message("d")], delay=3600),
            "ack": lambda: lab.broker.ack(first),
            "nack": lambda: lab.broker.nack(second, delay=3600),
            "size": lambda: lab.broker.size(QUEUE),
            "clear": lambda: lab.broker.clear(QUEUE),
        }
        for what, call in calls.items():
            await lab.soon(call(), f"{what}() beside a consume that waits")

    @fact
    async def test_waiting_consume_lets_the_loop_rest(self, lab: Lab) -> None:
        """A consume that finds nothing sleeps; it does not spin until something comes."""
        counting = off_loop(partial(_turns_of_a_wait, lab.broker))
        turns = await lab.soon(counting, "a consume that is cancelled")

        assert turns < SPINNING * A_WHILE, f"{turns} turns of the event loop in {A_WHILE:g} s"

    @fact
    async def test_waiting_consume_leaves_the_loop_to_others(self, lab: Lab) -> None:
        """While a consume waits, all else in its event loop goes on."""
        await lab.still_waits(lab.broker.consume(QUEUE), A_MOMENT)
        clock = asyncio.get_running_loop().time
        late = []
        for _ in range(20):
            start = clock()
            await asyncio.sleep(0.01)
            late.append(clock() - start - 0.01)

        assert median(late) < BLOCKING, f"the event loop is held up by {median(late):g} s"

    @fact
    async def test_message_is_settled_from_another_loop(self, lab: Lab) -> None:
        """A message may be settled in another thread's event loop than it was consumed in."""
        await lab.publish("a", "b")
        first, second = await lab.consume(), await lab.consume()
        await _in_threads(_call(lab.broker.ack(first)))
        await _in_threads(_call(lab.broker.nack(second)))

        assert await lab.rest() == ["b"]

    @fact
    async def test_publishing_thread_wakes_a_consumer(self, lab: Lab) -> None:
        """A consumer that waits is woken by the same connection in another thread."""
        waiting = await lab.still_waits(lab.broker.consume(QUEUE))
        await _in_threads(_call(lab.broker.publish(message("a"))))

        assert label(await lab.soon(waiting, "the waiting consume")) == "a"

    @fact
    async def test_many_threads_publish_at_once(self, lab: Lab) -> None:
        """Threads that publish through one connection at once lose and double nothing."""
        names = [f"{number:03}" for number in range(200)]

        async def publish(part: list[str]) -> None:
            await asyncio.gather(*(lab.broker.publish(message(name)) for name in part))

        parts = [names[start::4] for start in range(4)]
        await _in_threads(*(publish(part) for part in parts))

        assert sorted(await lab.rest()) == names

    @fact
    async def test_many_threads_consume_at_once(self, lab: Lab) -> None:
        """Threads that consume, by one connection or their own, get each message once."""
        names = [f"{number:03}" for number in range(200)]
        await lab.publish(*names)
        seen: list[str] = []
        brokers = (lab.broker, lab.broker, await lab.connect())
        consuming = _in_threads(*(_consume_into(seen, len(names), each) for each in brokers))
        await lab.soon(consuming, "consuming in three threads")

        assert sorted(seen) == names

    @fact
    async def test_closing_in_one_loop_gives_back_what_another_leased(self, lab: Lab) -> None:
        """A connection is closed as a whole, whatever loops it was used in."""
        worker = await lab.peer()
        await lab.publish("a")
        await lab.publish("b", queue=OTHER)
        await lab.soon(worker.hold(QUEUE), "consume() in a thread")
        await lab.consume(worker.broker, OTHER)
        await lab.soon(worker.broker.close(), "close()")

        assert (await lab.rest(), await lab.rest(OTHER)) == (["a"], ["b"])


class _CountingSelector(selectors.DefaultSelector):
    """Counts the turns of its event loop."""

    turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.turns += 1
        return super().select(timeout)


async def _call(awaitable: Awaitable[T]) -> T:
    return await awaitable


async def _consume(broker: Broker, patience: float) -> Message:
    return await in_time(asyncio.ensure_future(broker.consume(QUEUE)), patience, "consume()")


async def _take(broker: Broker, patience: float) -> None:
    await broker.ack(await _consume(broker, patience))


async def _in_threads(*calls: Coroutine[Any, Any, None]) -> None:
    await asyncio.gather(*(off_loop(partial(asyncio.run, call)) for call in calls))


async def _consume_into(seen: list[str], count: int, broker: Broker) -> None:
    while len(seen) < count:
        call = asyncio.ensure_future(broker.consume(QUEUE))
        await asyncio.wait([call], timeout=A_WHILE)
        if (received := await cut(call)) is not None:  # else the others took the last ones
            await broker.ack(received)
            seen.append(label(received))


def _turns_of_a_wait(broker: Broker) -> int:
    selector = _CountingSelector()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        return runner.run(_wait_and_count(broker, selector))


async def _wait_and_count(broker: Broker, selector: _CountingSelector) -> int:
    waiting = asyncio.ensure_future(broker.consume(QUEUE))
    await asyncio.sleep(A_MOMENT)
    before = selector.turns
    await asyncio.sleep(A_WHILE)
    turns = selector.turns - before
    await cut(waiting)
    return turns
