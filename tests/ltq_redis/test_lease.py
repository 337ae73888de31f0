"""Leases: kept while a worker lives, left when it is idle, taken over when it is dead."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import TYPE_CHECKING

import pytest

from ltq_core import LeaseLostError
from ltq_core.lifeline import keepers_of
from ltq_core.testing import wait_until
from ltq_redis import RedisBroker
from redis_store import OTHER, QUEUE, RedisStore, message
from small_worker import SmallWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import redis

    from fault_proxy import FaultProxy
    from redis_server import RedisServer

LEASE = 3.0


@pytest.fixture
def brokers(redis_url: str) -> Iterator[tuple[RedisBroker, RedisBroker]]:
    brokers = RedisBroker(redis_url), RedisBroker(redis_url)
    yield brokers
    for broker in brokers:
        asyncio.run(broker.close())


async def test_idle_worker_leaves_no_key(redis_url: str, store: RedisStore) -> None:
    broker = RedisBroker(redis_url)
    await broker.publish(message("a"))
    await broker.ack(await broker.consume(QUEUE))
    waiting = asyncio.ensure_future(broker.consume(QUEUE))
    await wait_until(lambda: store.blocked() == 1, 5, "it waits")

    assert store.left_behind() == []
    waiting.cancel()
    await broker.close()


async def test_lease_is_renewed_while_the_loop_is_blocked(
    redis_url: str, store: RedisStore
) -> None:
    broker = RedisBroker(redis_url)
    await broker.publish(message("a"))
    held = await broker.consume(QUEUE)
    [(_, first)] = store.client.zrange(store.keys().workers, 0, -1, withscores=True)
    time.sleep(LEASE / 2)  # noqa: ASYNC251 (it is to block the loop, as tasks do)
    [(_, second)] = store.client.zrange(store.keys().workers, 0, -1, withscores=True)
    await broker.ack(held)
    await broker.close()

    assert second > first + LEASE / 4


async def test_several_dead_workers_are_taken_over_in_one_beat(
    redis_url: str, store: RedisStore
) -> None:
    for number in range(20):
        store.put_dead_worker(f"dead{number}", message(f"{number:02}"))
    broker = RedisBroker(redis_url)
    worker = SmallWorker(broker, QUEUE)
    await asyncio.wait_for(worker.drain([f"{number:02}" for number in range(20)]), LEASE)
    await broker.close()

    assert set(worker.runs.values()) == {1}


async def test_messages_of_a_frozen_worker_need_no_token_to_be_taken_over(
    redis_url: str, store: RedisStore, redis_client: redis.Redis
) -> None:
    """It still waits for a token, as the server sees it, and was there first."""
    store.put_dead_worker("frozen", message("a"))
    frozen = redis_client.connection_pool.make_connection()
    frozen.send_command("BLPOP", store.keys().wake, 0)
    await wait_until(lambda: store.blocked() == 1, 5, "the frozen worker waits")
    broker = RedisBroker(redis_url)
    taken = await asyncio.wait_for(broker.consume(QUEUE), LEASE)
    await broker.ack(taken)
    await broker.close()
    frozen.disconnect()

    assert taken.id == "a"


async def test_nothing_is_taken_over_for_most_of_a_lease_after_a_beat_that_failed(
    proxied_url: str, store: RedisStore, proxy: FaultProxy
) -> None:
    """Whoever lived through an outage renews its lease before others end it."""
    lease = 2 * LEASE
    store.put_dead_worker("dead", message("a"))
    proxy.plan("BEAT", "before")
    broker = RedisBroker(proxied_url.replace(f"lease={LEASE:g}", f"lease={lease:g}"))
    taken = asyncio.ensure_future(broker.consume(QUEUE))
    await wait_until(lambda: proxy.calls["BEAT"] == 3, lease, "a beat after the failed one")
    assert proxy.calls["RECLAIM"] == 0

    await broker.ack(await asyncio.wait_for(taken, 2 * lease))
    await broker.close()


async def test_large_part_of_a_dead_worker_is_taken_over_whole(
    redis_url: str, store: RedisStore
) -> None:
    ids = [f"{number:03}" for number in range(450)]  # more than one step moves
    store.put_dead_worker("dead", *(message(id_) for id_ in ids))
    broker = RedisBroker(redis_url)
    worker = SmallWorker(broker, QUEUE)
    await asyncio.wait_for(worker.drain(ids, limit=500), LEASE)
    await broker.close()

    assert set(worker.runs.values()) == {1}


async def test_loss_of_a_lease_is_seen_where_nobody_works_any_more(
    brokers: tuple[RedisBroker, RedisBroker], store: RedisStore
) -> None:
    """The thief took the message, ended it and left: no key says that anybody works."""
    late, thief = brokers
    await late.publish(message("a"))
    held = await late.consume(QUEUE)
    [keeper] = keepers_of(asyncio.get_running_loop())
    keeper.suspend()
    store.client.zadd(store.keys().workers, dict.fromkeys(_workers(store), 1))
    await thief.ack(await asyncio.wait_for(thief.consume(QUEUE), LEASE))
    assert store.left_behind() == []
    keeper.resume()

    assert held.delivery is not None
    await wait_until(lambda: held.delivery.lease_lost, LEASE, "the loss is seen")
    with pytest.raises(LeaseLostError):
        await late.ack(held)
    await late.close()
    await thief.close()


async def test_beat_between_a_last_ack_and_its_reply_sees_no_lost_lease(
    proxied_url: str, store: RedisStore, proxy: FaultProxy, caplog: pytest.LogCaptureFixture
) -> None:
    broker = RedisBroker(proxied_url)
    await broker.publish(message("a"))
    held = await broker.consume(QUEUE)
    ack = asyncio.ensure_future(broker.ack_many([held]))
    await asyncio.sleep(0)  # it is on its way, and a blocked loop does not see the reply
    block_until(lambda: not _workers(store))
    beats = proxy.calls["BEAT"]
    block_until(lambda: proxy.calls["BEAT"] >= beats + 2)

    assert await ack == []
    assert held.delivery is not None
    assert not held.delivery.lease_lost
    assert "was lost" not in caplog.text
    await broker.close()


def block_until(condition: Callable[[], object]) -> None:
    """Block the event loop, as tasks do, until *condition* is true."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def _workers(store: RedisStore) -> list[bytes]:
    found: list[bytes] = store.client.zrange(store.keys().workers, 0, -1)
    return found


async def test_leases_of_a_wrong_type_stop_no_other(
    redis_url: str, store: RedisStore, caplog: pytest.LogCaptureFixture
) -> None:
    broker = RedisBroker(redis_url)
    await broker.publish_many([message("a"), message("b", OTHER)])
    held = [await broker.consume(QUEUE), await broker.consume(OTHER)]
    key = store.keys(OTHER).workers
    store.client.rename(key, f"{store.prefix}kept")
    store.client.set(key, "no sorted set")
    refused = "No lease on 'mail:digest' can be renewed"
    await wait_until(lambda: refused in caplog.text, 10, "a beat has met it")
    [(_, first)] = store.client.zrange(store.keys().workers, 0, -1, withscores=True)
    await wait_until(
        lambda: store.client.zrange(store.keys().workers, 0, -1, withscores=True)[0][1] > first,
        10,
        "the other queue's lease is renewed",
    )

    store.client.rename(f"{store.prefix}kept", key)
    await broker.ack_many(held)
    await broker.close()


async def test_beat_that_hangs_leaves_time_for_another(
    own_server: RedisServer, own_client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    broker = RedisBroker(f"{own_server.url}?lease=3&timeout=60")
    await broker.publish(message("a"))
    held = await broker.consume(QUEUE)
    own_client.execute_command("CLIENT", "PAUSE", 20_000, "WRITE")
    with caplog.at_level(logging.WARNING):
        await wait_until(lambda: "could not be renewed" in caplog.text, 10, "it gave up")
    own_client.execute_command("CLIENT", "UNPAUSE")

    await broker.ack(held)
    await broker.close()


async def test_closed_broker_leaves_no_thread(redis_url: str) -> None:
    broker = RedisBroker(redis_url)
    await broker.publish(message("a"))
    await broker.ack(await broker.consume(QUEUE))
    await broker.close()

    assert [one for one in threading.enumerate() if one.name == "ltq-lease"] == []
