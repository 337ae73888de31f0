"""What is the memory broker's own: names, one process, and no polling."""

from __future__ import annotations

import asyncio
import gc
import uuid

import pytest

from ltq_core.abilities import ABILITIES
from ltq_core.broker import Broker
from ltq_core.dead_letter import DeadLetter
from ltq_core.errors import BrokerUnavailableError, EncodeError
from ltq_core.message import Message
from ltq_core.testing import wait_until
from ltq_memory.broker import MemoryBroker

QUEUE = "tests:task"


@pytest.fixture
def url() -> str:
    """A store that no other test meets."""
    return f"memory://{uuid.uuid4().hex}"


def message(*args: object) -> Message:
    return Message(args, task_name=QUEUE)


def test_broker_offers_every_ability() -> None:
    """The memory broker has all that the core knows of."""
    assert all(isinstance(MemoryBroker(), ability) for ability in ABILITIES)


def test_handles_of_one_name_meet(url: str) -> None:
    """Every handle of one name sees the same queues."""
    asyncio.run(Broker.from_url(url).publish(message()))

    assert asyncio.run(Broker.from_url(url).size(QUEUE)) == 1


def test_names_are_apart(url: str) -> None:
    """Handles of different names, or without a URL, share nothing."""
    asyncio.run(MemoryBroker(url).publish(message()))

    for other in (MemoryBroker(url + "2"), MemoryBroker(), MemoryBroker()):
        assert asyncio.run(other.size(QUEUE)) == 0


def test_store_outlives_its_last_handle(url: str) -> None:
    """A store stays for as long as the process lives."""

    async def publish_and_close() -> None:
        broker = MemoryBroker(url)
        await broker.publish(message())
        await broker.close()

    asyncio.run(publish_and_close())
    gc.collect()

    assert asyncio.run(MemoryBroker(url).size(QUEUE)) == 1


def test_handles_may_differ_in_their_settings(url: str) -> None:
    """The query belongs to the handle, and is no part of the name."""
    asyncio.run(MemoryBroker(f"{url}?lease=5").publish(message()))
    other = MemoryBroker(f"{url}?lease=7")

    assert (asyncio.run(other.size(QUEUE)), other.lease) == (1, 7)


def test_lease_of_a_forgotten_handle_ends(url: str) -> None:
    """A handle that was dropped without close keeps nothing."""
    broker = MemoryBroker(f"{url}?lease=0.2")

    async def consume_with(handle: MemoryBroker) -> None:
        await handle.publish(message())
        await handle.consume(QUEUE)

    asyncio.run(consume_with(broker))
    del broker
    gc.collect()

    async def take_over() -> Message:
        other = MemoryBroker(url)
        back = await asyncio.wait_for(other.consume(QUEUE), 10)
        await other.close()
        return back

    back = asyncio.run(take_over())
    assert back.delivery is not None
    assert back.delivery.crashes == 1


def test_large_message_is_refused(url: str) -> None:
    """A message beyond max_message_bytes is an EncodeError that says so."""
    broker = MemoryBroker(f"{url}?max_message_bytes=100")

    with pytest.raises(EncodeError, match="more than the 100 that max_message_bytes allows"):
        asyncio.run(broker.publish(message("x" * 100)))


def test_grown_message_can_be_nacked(url: str) -> None:
    """A message whose ``ctx`` grew beyond max_message_bytes is kept all the same."""

    async def grow() -> int:
        broker = MemoryBroker(f"{url}?max_message_bytes=200")
        await broker.publish(message())
        received = await broker.consume(QUEUE)
        received.ctx["last_error"] = "x" * 200
        await broker.nack(received)
        await broker.close()
        return await broker.size(QUEUE)

    assert asyncio.run(grow()) == 1


def test_closing_ends_a_waiting_consume(url: str) -> None:
    """A consume that waits while its broker is closed says so instead of hanging."""

    async def close_meanwhile() -> None:
        broker = MemoryBroker(url)
        waiting = asyncio.ensure_future(broker.consume(QUEUE))
        await wait_until(lambda: broker.store._waiters, description="consume waits")
        await broker.close()
        await waiting

    with pytest.raises(BrokerUnavailableError, match="closed"):
        asyncio.run(close_meanwhile())


def test_idle_consumer_does_not_poll(url: str) -> None:
    """A consumer that waits looks once, and again when something came."""
    looks: list[object] = []

    async def wait_idly() -> None:
        broker, other = MemoryBroker(f"{url}?lease=0.1"), MemoryBroker(url)
        claim = broker.store.claim
        broker.store.claim = lambda *args: looks.append(args) or claim(*args)  # type: ignore[method-assign]
        waiting = asyncio.ensure_future(broker.consume(QUEUE))
        await asyncio.wait([waiting], timeout=0.5)
        await other.publish(message())
        await waiting
        await broker.close()

    asyncio.run(wait_idly())
    assert len(looks) == 2


def test_dead_letters_are_bounded_in_number(url: str) -> None:
    """Beyond dead_letters the oldest is forgotten."""
    assert asyncio.run(_buried(f"{url}?dead_letters=2", ["a", "b", "c"])) == ["c", "b"]


def test_dead_letters_are_bounded_in_age(url: str) -> None:
    """A letter older than dead_letter_age is forgotten."""
    assert asyncio.run(_buried(f"{url}?dead_letter_age=0", ["a"])) == []


async def _buried(url: str, names: list[str]) -> list[str]:
    broker = MemoryBroker(url)
    for name in names:
        await broker.publish(message(name))
        received = await broker.consume(QUEUE)
        await broker.bury(received, DeadLetter(name, QUEUE, "rejected", 0.0, received))
    letters = await broker.dead_letters(QUEUE)
    await broker.close()
    return [letter.id for letter in letters]


def test_letter_of_a_reason_that_only_a_newer_version_knows_is_kept_as_it_is(url: str) -> None:
    """An unknown reason hides neither its letter nor the others."""

    async def bury_and_list() -> list[str]:
        broker = MemoryBroker(url)
        for reason in ("failed", "superseded"):
            await broker.publish(message())
            received = await broker.consume(QUEUE)
            letter = DeadLetter(received.id, QUEUE, reason, 0.0, received)
            await broker.bury(received, letter)
        letters = await broker.dead_letters(QUEUE)
        await broker.close()
        return [letter.reason for letter in letters]

    assert asyncio.run(bury_and_list()) == ["superseded", "failed"]


def test_busy_worker_gets_its_suspects(url: str) -> None:
    """A worker that is never idle takes nothing more until it can take a suspect alone."""

    async def drain() -> list[str]:
        broker = MemoryBroker(url)
        await broker.publish(message("busy"))
        busy = await broker.consume(QUEUE)
        await broker.publish(message("suspect"))
        with broker.store.lend(QUEUE) as lent:
            [entry] = lent.first(1)
            lent.clear(0)
            entry.crashes = 2
            broker.store.put(lent, [entry])
        await broker.publish(message("later"))
        seen = []
        waiting = asyncio.ensure_future(broker.consume(QUEUE))
        await wait_until(lambda: broker.store._waiters, description="consume waits")
        await broker.ack(busy)
        received = await waiting
        seen.append(received.args[0])
        await broker.ack(received)
        seen.append((await broker.consume(QUEUE)).args[0])
        await broker.close()
        return seen

    assert asyncio.run(drain()) == ["suspect", "later"]
