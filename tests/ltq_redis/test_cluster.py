"""A real Redis Cluster: slots that move and masters that die while messages flow."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from documented_rights import acl_commands
from ltq_core import BrokerError
from ltq_core.testing import wait_until
from ltq_redis import RedisBroker
from redis_cluster import RedisCluster, slot_of
from redis_server import NoServerError
from redis_store import message
from small_worker import SmallWorker, patiently

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ltq_core import Message

SEND, DIGEST = "mail:send", "mail:digest"
FORMS = ["redis+cluster", "redis?cluster=1"]


def started(cluster: RedisCluster) -> RedisCluster:
    try:
        return cluster.start()
    except NoServerError as error:
        cluster.remove()
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no Redis server: {error}")


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisCluster]:
    cluster = started(RedisCluster())
    yield cluster
    cluster.remove()


@pytest.fixture
def url(cluster: RedisCluster) -> Iterator[str]:
    yield f"{cluster.url}?lease=3"
    assert cluster.left_behind() == []


async def send_all(
    broker: RedisBroker, messages: Sequence[Message], *, every: float = 0.002
) -> None:
    """Send one after another, each until it is stored."""
    for one in messages:
        await patiently(lambda one=one: broker.publish(one))
        await asyncio.sleep(every)


@pytest.mark.parametrize("form", FORMS)
async def test_nothing_is_lost_while_a_slot_moves(
    cluster: RedisCluster, url: str, form: str
) -> None:
    if form != "redis+cluster":
        url = f"{cluster.nodes[1].url}?cluster=1&lease=3"
    producer, consumer = RedisBroker(url), RedisBroker(url)
    messages = [message(f"{number:03}", (SEND, DIGEST)[number % 2]) for number in range(300)]
    worker = SmallWorker(consumer, SEND, DIGEST)
    sending = asyncio.ensure_future(send_all(producer, messages))
    async with worker.at_work():
        for times in (1, 2, 3):
            await wait_until(lambda n=times: len(worker.runs) > 60 * n, 20, "messages flow")
            target = next(node for node in cluster.nodes if not node.serves(slot_of(SEND)))
            await asyncio.to_thread(cluster.move, slot_of(SEND), target)
        await sending
        await wait_until(lambda: len(worker.runs) == len(messages), 20, "all were run")
    await producer.close()
    await consumer.close()

    assert worker.runs == Counter(one.id for one in messages)


async def test_call_waits_while_a_slot_is_between_two_nodes(
    cluster: RedisCluster, url: str
) -> None:
    slot = slot_of(SEND)
    source = cluster.serving(slot)
    target = next(node for node in cluster.nodes if node is not source)
    broker = RedisBroker(url)
    target.run("CLUSTER SETSLOT", slot, "IMPORTING", source.id())
    source.run("CLUSTER SETSLOT", slot, "MIGRATING", target.id())
    sending = asyncio.ensure_future(broker.publish(message("a", SEND)))
    done, _ = await asyncio.wait({sending}, timeout=0.3)
    assert not done

    await asyncio.to_thread(cluster.move, slot, target)
    await asyncio.wait_for(sending, 10)
    await SmallWorker(broker, SEND).drain(["a"])
    await broker.close()


async def test_queues_of_one_worker_share_a_slot(cluster: RedisCluster, url: str) -> None:
    broker = RedisBroker(url)
    await broker.publish(message("a", SEND))
    await broker.publish(message("b", DIGEST))

    assert set(cluster.serving(slot_of(SEND)).own_keys()) >= {
        "queue:{mail}:send",
        "queue:{mail}:digest",
    }
    await SmallWorker(broker, SEND, DIGEST).drain(["a", "b"])
    await broker.close()


async def test_workers_spread_over_the_nodes(cluster: RedisCluster, url: str) -> None:
    queues = [f"worker{number}:task" for number in range(12)]
    broker = RedisBroker(url)
    await broker.publish_many([message(f"{i:02}", queue) for i, queue in enumerate(queues)])

    assert len([node for node in cluster.nodes if node.own_keys()]) == len(cluster.nodes)
    assert await broker.queues() == sorted(queues)
    assert [await broker.size(queue) for queue in queues] == [1] * len(queues)
    for queue in queues:
        await broker.clear(queue)
    await broker.close()


async def test_queues_of_several_workers_are_consumed_together(
    cluster: RedisCluster, url: str
) -> None:
    queues = [f"worker{number}:task" for number in range(6)]
    broker = RedisBroker(url)
    worker = SmallWorker(broker, *queues)
    messages = [message(f"{i:02}", queues[i % len(queues)]) for i in range(60)]
    await broker.publish_many(messages)
    await worker.drain([one.id for one in messages])
    await broker.close()

    assert worker.runs == Counter(one.id for one in messages)


async def test_documented_rights_are_enough(cluster: RedisCluster, url: str) -> None:
    for node in cluster.nodes:
        for command in acl_commands("+cluster|slots"):
            node.run(*command)
    producer = RedisBroker(url.replace("//", "//ltq-producer:sesame@"))
    worker = RedisBroker(url.replace("//", "//ltq-worker:sesame@"))
    await producer.publish(message("a", SEND))
    await SmallWorker(worker, SEND, DIGEST).drain(["a"])
    await producer.close()
    await worker.close()


async def test_url_of_a_single_server_is_told_of_the_cluster(cluster: RedisCluster) -> None:
    slot = cluster.nodes[0].run("CLUSTER KEYSLOT", f"queue:{SEND}")
    elsewhere = next(node for node in cluster.nodes if not node.serves(slot))
    broker = RedisBroker(elsewhere.url)

    with pytest.raises(BrokerError, match=r"Reach a cluster by redis\+cluster://host"):
        await broker.publish(message("a", SEND))
    with pytest.raises(BrokerError, match=r"begins with redis\+cluster:// follows it there"):
        await broker.size(SEND)


@pytest.fixture
def guarded() -> Iterator[RedisCluster]:
    cluster = RedisCluster(guarded=SEND, replicas=2)
    yield started(cluster)
    cluster.remove()


async def test_nothing_is_lost_when_a_master_dies(guarded: RedisCluster) -> None:
    # Only what a replica has is promised to outlive its master: hence `wait`.
    url = f"{guarded.url}?lease=3&wait=1"
    producer, consumer = RedisBroker(url), RedisBroker(url)
    messages = [message(f"{number:03}", SEND) for number in range(400)]
    worker = SmallWorker(consumer, SEND)
    sending = asyncio.ensure_future(send_all(producer, messages))
    async with worker.at_work():
        await wait_until(lambda: len(worker.runs) > 100, 20, "messages flow")
        await asyncio.to_thread(guarded.serving(slot_of(SEND)).kill)
        await asyncio.wait_for(sending, 90)
        await wait_until(lambda: len(worker.runs) == len(messages), 20, "all were run")
        # An ack that the replica had not seen yet is made up for by one more run.
        await wait_until(lambda: guarded.left_behind() == [], 20, "nothing is left behind")
    await producer.close()
    await consumer.close()
