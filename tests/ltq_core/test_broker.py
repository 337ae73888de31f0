"""What a broker gets for its seven methods, and which URL counts."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from ltq_core.broker import Broker, broker_url_of, override_broker_url
from ltq_core.errors import BrokerUnavailableError, LeaseLostError
from ltq_core.message import Delivery, Message
from ltq_core.testing import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


class Shelf(Broker):
    """Seven methods over lists, and a note of each call. Its init calls no super."""

    def __init__(self) -> None:
        self.queues: defaultdict[str, list[Message]] = defaultdict(list)
        self.calls: list[str] = []
        self.lost: set[str] = set()
        self.failing: set[str] = set()
        self.away = False

    def _check(self, what: str) -> None:
        if self.away or what in self.failing:
            raise BrokerUnavailableError(f"no answer to {what}")

    def _check_lease(self, message: Message) -> None:
        if message.id in self.lost:
            raise LeaseLostError(message.id)

    async def publish(self, message: Message, delay: float = 0) -> None:
        self._check(message.task_name)
        self.calls.append(f"publish {message.id} {delay}")
        self.queues[message.task_name].append(message)

    async def consume(self, queue: str) -> Message:
        self._check(queue)
        self.calls.append(f"consume {queue}")
        while not self.queues[queue]:
            await asyncio.sleep(0)
            self._check(queue)
        message = self.queues[queue].pop(0)
        message.delivery = Delivery(None, 0.0, 0.0)
        return message

    async def ack(self, message: Message) -> None:
        self._check("ack")
        self._check_lease(message)
        self.calls.append(f"ack {message.id}")

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        self._check("nack")
        self._check_lease(message)
        self.calls.append(f"nack {message.id}")
        self.queues[message.task_name].insert(0, message)

    async def size(self, queue: str) -> int:
        return len(self.queues[queue])

    async def clear(self, queue: str) -> None:
        self.queues.pop(queue, None)

    async def close(self) -> None:
        self.calls.append("close")


def put(shelf: Shelf, *ids: str) -> None:
    """Store messages; the first letter of an id is its queue."""
    for one in ids:
        shelf.queues[one[0]].append(message(one))


def message(id_: str) -> Message:
    return Message((), {}, id_[0], {}, id_)


async def take(shelf: Shelf, queues: str, limit: int, acks: list[Message] | None = None) -> str:
    """The ids of what `consume_many` returns."""
    found = await asyncio.wait_for(shelf.consume_many(list(queues), limit, acks or []), 10)
    return " ".join(one.id for one in found)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def test_publish_many_keeps_the_order(shelf: Shelf):
    asyncio.run(shelf.publish_many([message("a1"), message("b1"), message("a2")], 3))

    assert shelf.calls == ["publish a1 3", "publish b1 3", "publish a2 3"]


def test_consume_many_brings_at_most_its_limit(shelf: Shelf):
    put(shelf, "a1", "b1", "c1")

    async def main() -> list[str]:
        return [await take(shelf, "abc", 2), await take(shelf, "abc", 2)]

    first, second = asyncio.run(main())
    assert len(first.split()) <= 2
    assert sorted((first + " " + second).split()) == ["a1", "b1", "c1"]


def test_message_beyond_the_limit_is_returned_first_next_time(shelf: Shelf):
    put(shelf, "a1", "b1")

    async def main() -> list[str]:
        return [await take(shelf, "ab", 1), await take(shelf, "ab", 1)]

    assert asyncio.run(main()) == ["a1", "b1"]


def test_message_lost_while_it_was_kept_is_not_returned(shelf: Shelf):
    kept = message("b1")
    put(shelf, "a1")
    shelf.queues["b"].append(kept)

    async def main() -> str:
        await take(shelf, "ab", 1)
        assert kept.delivery is not None
        kept.delivery.lease_lost = True
        put(shelf, "a2")
        return await take(shelf, "ab", 5)

    assert asyncio.run(main()) == "a2"


def test_message_lost_before_its_call_was_looked_at_is_not_returned(shelf: Shelf):
    kept = message("a1")

    async def main() -> str:
        waiting = asyncio.create_task(take(shelf, "a", 1))
        await wait_until(lambda: shelf.calls)
        waiting.cancel()
        shelf.queues["a"].append(kept)
        await wait_until(lambda: kept.delivery)
        assert kept.delivery is not None
        kept.delivery.lease_lost = True
        put(shelf, "a2")
        return await take(shelf, "a", 5)

    assert asyncio.run(main()) == "a2"


def test_small_limit_does_not_pile_up_leases(shelf: Shelf):
    put(shelf, *(f"{queue}{number}" for queue in "abcde" for number in range(20)))

    async def main() -> None:
        for _ in range(20):
            await take(shelf, "abcde", 1)

    asyncio.run(main())

    leased = sum(call.startswith("consume") for call in shelf.calls)
    assert leased <= 20 + 5


def test_each_queue_is_waited_on_once(shelf: Shelf):
    async def main() -> str:
        waiting = asyncio.create_task(take(shelf, "ab", 1))
        await wait_until(lambda: len(shelf.calls) == 2)
        put(shelf, "b1")
        await waiting
        put(shelf, "a1")
        return await take(shelf, "ab", 1)

    assert asyncio.run(main()) == "a1"
    assert shelf.calls == ["consume a", "consume b", "consume b"]


def test_acks_are_settled_before_the_wait(shelf: Shelf):
    async def main() -> None:
        waiting = asyncio.create_task(take(shelf, "a", 1, [message("a8"), message("a9")]))
        await wait_until(lambda: "ack a9" in shelf.calls)
        put(shelf, "a1")
        await waiting

    asyncio.run(main())

    assert shelf.calls == ["ack a8", "ack a9", "consume a"]


def test_cancelled_consume_many_loses_nothing(shelf: Shelf):
    async def main() -> str:
        waiting = asyncio.create_task(take(shelf, "a", 1))
        await wait_until(lambda: shelf.calls)
        put(shelf, "a1")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return await take(shelf, "a", 1)

    assert asyncio.run(main()) == "a1"


def test_failure_of_one_queue_is_raised_and_leaves_the_others_waiting(shelf: Shelf):
    shelf.failing = {"a"}

    async def main() -> str:
        with pytest.raises(BrokerUnavailableError, match="no answer to a"):
            await take(shelf, "ab", 1)
        shelf.failing.clear()
        put(shelf, "b1")
        return await take(shelf, "ab", 1)

    assert asyncio.run(main()) == "b1"
    assert shelf.calls.count("consume b") == 1


def test_failure_beside_a_message_does_not_lose_the_message(shelf: Shelf):
    put(shelf, "a1")
    shelf.failing = {"b"}

    async def main() -> str:
        return await take(shelf, "ab", 5)

    assert asyncio.run(main()) == "a1"


def test_ack_many_returns_what_was_lost(shelf: Shelf):
    shelf.lost = {"a2"}
    one, two, three = message("a1"), message("a2"), message("a3")
    two.delivery = Delivery(None, 0.0, 0.0)
    lost = asyncio.run(shelf.ack_many([one, two, three]))

    assert lost == [two]
    assert two.delivery.lease_lost
    assert shelf.calls == ["ack a1", "ack a3"]


def test_release_gives_back_what_nobody_has_seen(shelf: Shelf):
    put(shelf, "a1", "b1")

    async def main() -> None:
        await take(shelf, "ab", 1)
        await shelf.release()

    asyncio.run(main())

    assert shelf.calls[-1] == "nack b1"
    assert [one.id for one in shelf.queues["b"]] == ["b1"]


def test_release_before_anything_was_claimed_does_nothing(shelf: Shelf):
    asyncio.run(shelf.release())

    assert shelf.calls == []


def test_broker_serves_on_after_a_release(shelf: Shelf):
    async def main() -> str:
        waiting = asyncio.create_task(take(shelf, "a", 1))
        await wait_until(lambda: shelf.calls)
        waiting.cancel()
        await shelf.release()
        put(shelf, "a1")
        return await take(shelf, "a", 1)

    assert asyncio.run(main()) == "a1"


def test_close_gives_back_what_nobody_has_seen(shelf: Shelf):
    put(shelf, "a1", "b1")

    async def main() -> None:
        await take(shelf, "ab", 1)
        await shelf.close()

    asyncio.run(main())

    assert shelf.calls[-2:] == ["nack b1", "close"]


def test_close_of_a_subclass_gives_back_first(shelf: Shelf):
    class Below(Shelf):
        async def close(self) -> None:
            self.calls.append("below")
            await super().close()

    below = Below()
    put(below, "a1", "b1")

    async def main() -> None:
        await take(below, "ab", 1)
        await below.close()

    asyncio.run(main())

    assert below.calls[-3:] == ["nack b1", "below", "close"]


def test_message_whose_lease_was_lost_does_not_keep_others_from_going_back(shelf: Shelf):
    put(shelf, "a1", "b1", "c1")
    shelf.lost = {"b1"}

    async def main() -> None:
        await take(shelf, "abc", 1)
        await shelf.close()

    asyncio.run(main())

    assert shelf.calls[-2:] == ["nack c1", "close"]


def test_broker_that_is_away_is_closed_all_the_same(shelf: Shelf):
    put(shelf, "a1", "b1")

    async def main() -> None:
        await take(shelf, "ab", 1)
        shelf.away = True
        with pytest.raises(BrokerUnavailableError):
            await shelf.close()

    asyncio.run(main())

    assert shelf.calls[-1] == "close"


def test_close_gives_back_what_another_loop_has_claimed(shelf: Shelf):
    put(shelf, "a1", "b1")
    claimed, end = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def other() -> None:
        loops.append(asyncio.get_running_loop())
        await take(shelf, "ab", 1)
        claimed.set()
        await end.wait()

    thread = threading.Thread(target=lambda: asyncio.run(other()))
    thread.start()
    assert claimed.wait(10)
    asyncio.run(shelf.close())
    loops[0].call_soon_threadsafe(end.set)
    thread.join()

    assert shelf.calls[-2:] == ["nack b1", "close"]


@pytest.fixture
def _no_override() -> Iterator[None]:
    yield
    override_broker_url(None)


def test_url_of_last_resort_is_a_local_redis(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("LTQ_BROKER_URL", raising=False)

    assert broker_url_of(None) == "redis://localhost:6379"


def test_environment_stands_in_for_a_url_that_nobody_declared(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LTQ_BROKER_URL", "memory://env")

    assert broker_url_of(None) == "memory://env"
    assert broker_url_of("memory://own") == "memory://own"


@pytest.mark.usefixtures("_no_override")
def test_override_stands_in_for_every_url(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LTQ_BROKER_URL", "memory://env")
    override_broker_url("memory://command-line")

    assert broker_url_of(None) == "memory://command-line"
    assert broker_url_of("memory://own") == "memory://command-line"


def test_class_without_one_of_the_seven_methods_is_no_broker():
    class Six(Shelf):
        nack = Broker.nack

    with pytest.raises(TypeError, match="nack"):
        Six()
