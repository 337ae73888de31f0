"""What a server in trouble answers, which differs from version to version."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from ltq_core import BrokerUnavailableError
from ltq_core.abilities import QueueLimits
from ltq_core.testing import wait_until
from ltq_redis import RedisBroker
from redis_store import OTHER, QUEUE, RedisStore, message
from small_worker import SmallWorker, patiently

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis

    from redis_server import RedisServer

IDS = [f"{number:03}" for number in range(60)]


@pytest.fixture
def server(any_server: RedisServer) -> RedisServer:
    return any_server


@pytest.fixture
def client(server: RedisServer) -> Iterator[redis.Redis]:
    with server.client() as client:
        yield client


async def filled(broker: RedisBroker) -> None:
    """Half of the messages wait behind a limit, half behind none."""
    await broker.set_limits(OTHER, QueueLimits(concurrency=3))
    queues = (QUEUE, OTHER)
    await broker.publish_many([message(id_, queues[i % 2]) for i, id_ in enumerate(IDS)])


async def test_workers_drain_a_server_whose_memory_is_full(
    server: RedisServer, client: redis.Redis
) -> None:
    broker = RedisBroker(f"{server.url}?lease=3")
    await filled(broker)
    RedisStore(client, "").put_dead_worker("dead", message("orphan"))
    client.config_set("maxmemory", 1)
    with pytest.raises(BrokerUnavailableError, match="OOM"):
        await asyncio.wait_for(broker.publish(message("new")), 1)
    worker = SmallWorker(broker, QUEUE, OTHER)
    retried = await worker.take()
    retried.ctx["tries"] = 1
    await broker.nack(retried, delay=0.1)
    worker.runs.clear()
    await asyncio.wait_for(worker.drain([*IDS, "orphan"], limit=5), 10)
    await broker.close()

    assert worker.runs == Counter([*IDS, "orphan"])
    assert RedisStore(client, "").left_behind() == []


async def test_worker_waits_while_a_server_may_not_be_written(
    server: RedisServer, client: redis.Redis
) -> None:
    broker = RedisBroker(f"{server.url}?lease=3")
    await filled(broker)
    worker = SmallWorker(broker, QUEUE, OTHER)
    done, again = [await worker.take() for _ in range(2)]
    worker.runs.clear()
    client.replicaof("127.0.0.1", "1")
    rest = [id_ for id_ in IDS if id_ != done.id]
    calls = {
        asyncio.ensure_future(patiently(lambda: broker.ack_many([done]))),
        asyncio.ensure_future(patiently(lambda: broker.nack(again))),
        asyncio.ensure_future(worker.drain(rest, limit=5)),
    }
    ended, _ = await asyncio.wait(calls, timeout=0.5)
    assert not ended

    client.replicaof("NO", "ONE")
    await asyncio.wait_for(asyncio.gather(*calls), 5)
    await broker.close()
    assert worker.runs == Counter(rest)
    assert RedisStore(client, "").left_behind() == []


async def test_scripts_that_are_flushed_are_sent_again(
    server: RedisServer, client: redis.Redis
) -> None:
    broker = RedisBroker(f"{server.url}?lease=3")
    worker = SmallWorker(broker, QUEUE, OTHER)
    sent: list[str] = []
    async with worker.at_work():
        for id_ in IDS[:10]:
            client.script_flush()
            await broker.publish(message(id_))
            sent.append(id_)
            await wait_until(lambda: len(worker.runs) == len(sent), 5, "it was run")
    await broker.close()

    assert worker.runs == Counter(sent)
