"""Sends: those that meet travel together, and each learns what became of its own message."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from ltq_core import BrokerError, BrokerUnavailableError, EncodeError
from ltq_redis import RedisBroker
from ltq_redis.publisher import MOST_BYTES, MOST_MESSAGES, Publisher
from ltq_redis.scripts import PUBLISH
from ltq_redis.settings import parse
from redis_store import OTHER, QUEUE, RedisStore, message
from small_worker import SmallWorker

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis

    from fault_proxy import FaultProxy
    from redis_server import RedisServer

IDS = [f"{number:03}" for number in range(100)]


@pytest.fixture
def broker(proxied_url: str, store: RedisStore) -> Iterator[RedisBroker]:
    """A broker whose calls are counted, over a store that is emptied afterwards."""
    broker = RedisBroker(proxied_url)
    yield broker
    asyncio.run(broker.close())
    for key in store.left_behind():
        store.client.delete(key)


async def in_order(broker: RedisBroker) -> list[str]:
    """The ids of all that waits, the first one first."""
    return [one.id for one in await broker.peek(QUEUE, 10_000)]


async def test_sends_that_meet_travel_together(broker: RedisBroker, proxy: FaultProxy) -> None:
    await asyncio.gather(*(broker.publish(message(id_)) for id_ in IDS))

    assert await in_order(broker) == IDS
    assert proxy.calls["PUBLISH"] == 2  # the first one alone, and all others
    await broker.close()


async def test_send_that_nothing_precedes_goes_at_once(
    broker: RedisBroker, proxy: FaultProxy
) -> None:
    for id_ in IDS[:5]:
        await broker.publish(message(id_))

    assert proxy.calls["PUBLISH"] == 5
    await broker.close()


async def test_bulk_travels_in_large_parts(broker: RedisBroker, proxy: FaultProxy) -> None:
    ids = [f"{number:05}" for number in range(3 * MOST_MESSAGES - 1)]
    await broker.publish_many([message(id_) for id_ in ids])

    assert await in_order(broker) == ids
    assert proxy.calls["PUBLISH"] == 3
    await broker.close()


async def test_large_messages_share_no_call(broker: RedisBroker, proxy: FaultProxy) -> None:
    sent = [message(id_, padding="x" * (MOST_BYTES // 2)) for id_ in IDS[:4]]
    await broker.publish_many(sent)

    assert proxy.calls["PUBLISH"] == 4
    await broker.close()


@pytest.mark.parametrize("cancelled", [0, 1, 50, 99])
async def test_cancelled_send_leaves_the_others(broker: RedisBroker, cancelled: int) -> None:
    sends = [asyncio.ensure_future(broker.publish(message(id_))) for id_ in IDS]
    await asyncio.sleep(0)
    sends[cancelled].cancel()
    await asyncio.wait(sends)

    others = [id_ for id_ in await in_order(broker) if id_ != IDS[cancelled]]
    assert others == IDS[:cancelled] + IDS[cancelled + 1 :]
    await broker.close()


async def test_refusal_of_one_queue_is_no_concern_of_another(
    broker: RedisBroker, store: RedisStore
) -> None:
    store.client.set(store.keys(OTHER).queue, "no sorted set")
    queues = [QUEUE, OTHER] * 10
    sends = (broker.publish(message(IDS[i], queue)) for i, queue in enumerate(queues))
    results = await asyncio.gather(*sends, return_exceptions=True)

    assert [isinstance(one, BrokerError) for one in results] == [False, True] * 10
    assert not any(isinstance(one, BrokerUnavailableError) for one in results)
    assert "WRONGTYPE" in str(results[1])
    assert store.waiting() == Counter(IDS[:20:2])
    await broker.close()


async def test_send_before_closed_connections_is_never_left_hanging(
    own_server: RedisServer, own_client: redis.Redis
) -> None:
    broker = RedisBroker(own_server.url)
    await broker.publish(message("before"))
    own_client.execute_command("CLIENT", "PAUSE", 1000, "WRITE")
    sends = [asyncio.ensure_future(broker.publish(message(id_))) for id_ in IDS[:10]]
    await asyncio.sleep(0.1)
    await broker.close()
    done, pending = await asyncio.wait(sends, timeout=10)

    assert not pending
    assert all(one.exception() is None or _unavailable(one) for one in done)


def _unavailable(send: asyncio.Future[None]) -> bool:
    return isinstance(send.exception(), BrokerUnavailableError)


async def test_full_memory_is_told_at_once(
    own_server: RedisServer, own_client: redis.Redis
) -> None:
    broker = RedisBroker(own_server.url)
    own_client.config_set("maxmemory", 1)
    with pytest.raises(BrokerUnavailableError, match="OOM"):
        await asyncio.wait_for(broker.publish(message("a")), 1)
    own_client.config_set("maxmemory", 0)

    await broker.publish(message("a"))
    await SmallWorker(broker, QUEUE).drain(["a"])
    await broker.close()


async def test_send_waits_until_a_server_may_be_written_again(
    own_server: RedisServer, own_client: redis.Redis
) -> None:
    broker = RedisBroker(own_server.url)
    await broker.publish(message("a"))
    own_client.replicaof("127.0.0.1", "1")
    sending = asyncio.ensure_future(broker.publish(message("b")))
    done, _ = await asyncio.wait({sending}, timeout=0.5)
    assert not done

    own_client.replicaof("NO", "ONE")
    await asyncio.wait_for(sending, 5)
    await SmallWorker(broker, QUEUE).drain(["a", "b"])
    await broker.close()


async def test_too_few_replicas_are_told(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ltq_redis.publisher.PATIENCE", 0)
    monkeypatch.setattr("ltq_redis.publisher.REPLICATION", 0.05)
    broker = RedisBroker(f"{redis_url}&wait=1")
    sends = (
        broker.publish(message("a")),
        broker.publish_many([message("b")]),
        broker.publish_unique(message("c"), "key"),
        broker.publish_tick("job", 60, message("d")),
    )
    errors = await asyncio.gather(*sends, return_exceptions=True)

    assert {type(error) for error in errors} == {BrokerUnavailableError}
    assert "reached 0 of 1 replicas" in str(errors[0])
    await broker.clear(QUEUE)
    await broker.close()


class ReplicatedLink:
    """A link whose connection breaks between a script and the wait for its replicas."""

    def __init__(self) -> None:
        self.opened = 1
        self.calls: list[str] = []

    async def run(self, *_: Any) -> list[bytes]:
        self.calls.append("script")
        return [b""]

    async def call(self, *args: Any, patience: float) -> int:
        self.calls.append(args[0])
        if self.calls.count("WAIT") == 1:
            self.opened += 1  # a new connection has stored nothing, and waits for nothing
        return 1


async def test_replicas_are_asked_on_the_connection_that_stored() -> None:
    link: Any = ReplicatedLink()
    await Publisher(link, parse("redis://h?wait=1")).run(PUBLISH, [], [])

    assert link.calls == ["script", "WAIT", "script", "WAIT"]


async def test_message_that_is_too_large_is_refused_before_redis(
    redis_url: str, store: RedisStore
) -> None:
    broker = RedisBroker(f"{redis_url}&max_message_bytes=1024")
    await broker.publish(message("small", padding="x" * 800))
    with pytest.raises(EncodeError, match=r"'mail:send' takes 1\d\d\d bytes, more than max_me"):
        await broker.publish(message("large", padding="x" * 1024))

    assert store.waiting() == Counter(["small"])
    await broker.clear(QUEUE)
    await broker.close()


async def test_message_that_was_accepted_is_returned_whatever_its_size(
    redis_url: str, store: RedisStore
) -> None:
    broker = RedisBroker(f"{redis_url}&max_message_bytes=1024")
    await broker.publish(message("near", padding="x" * 850))
    held = await broker.consume(QUEUE)
    held.ctx["last_error"] = "x" * 500
    await broker.nack(held)

    assert store.waiting() == Counter(["near"])
    await broker.clear(QUEUE)
    await broker.close()


def test_loop_that_ends_amid_sends_leaves_no_task(
    redis_url: str, store: RedisStore, caplog: pytest.LogCaptureFixture
) -> None:
    broker = RedisBroker(redis_url)

    async def work() -> None:
        sends = [asyncio.ensure_future(broker.publish(message(id_))) for id_ in IDS[:10]]
        await asyncio.wait(sends[:1], timeout=0)

    asyncio.run(work())
    asyncio.run(broker.clear(QUEUE))
    asyncio.run(broker.close())
    gc.collect()

    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
