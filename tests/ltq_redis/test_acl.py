"""The rights that the documentation names are enough, and give no more than is needed."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import redis

from documented_rights import acl_commands
from ltq_core import BrokerError, BrokerUnavailableError
from ltq_core.abilities import QueueLimits, Rate
from ltq_core.dead_letter import DeadLetter
from ltq_redis import RedisBroker
from redis_store import OTHER, QUEUE, RedisStore, message
from small_worker import SmallWorker

if TYPE_CHECKING:
    from redis_server import RedisServer


@pytest.fixture
def server(any_server: RedisServer) -> RedisServer:
    """A server with the documented users, and with nobody else who may do anything."""
    with any_server.client() as client:
        for command in acl_commands():
            client.execute_command(*command)
        client.execute_command(*"ACL SETUSER tester on >sesame ~* &* +@all".split())
        client.execute_command("ACL", "SETUSER", "default", "off")
    return any_server


def as_user(server: RedisServer, user: str) -> str:
    return server.url.replace("//", f"//{user}:sesame@")


def client(server: RedisServer, user: str) -> redis.Redis:
    return redis.Redis.from_url(as_user(server, user), protocol=2)


async def test_rights_of_a_worker_and_a_producer_are_enough(server: RedisServer) -> None:
    worker = RedisBroker(as_user(server, "ltq-worker") + "?lease=3")
    producer = RedisBroker(as_user(server, "ltq-producer"))
    with client(server, "tester") as tester:
        store = RedisStore(tester, "")
        await send_in_every_way(producer)
        store.put_dead_worker("dead", message("orphan"))
        await work_in_every_way(worker)
        await worker.close()
        await producer.close()

        assert store.left_behind() == []


async def test_user_without_a_password_is_announced(server: RedisServer) -> None:
    with client(server, "tester") as tester:
        tester.execute_command(*"ACL SETUSER guest on nopass ~* +@all".split())
    broker = RedisBroker(server.url.replace("//", "//guest@"))

    assert await broker.size(QUEUE) == 0


async def test_refusal_says_what_would_work(server: RedisServer) -> None:
    with client(server, "tester") as tester:
        tester.execute_command(*"ACL SETUSER ltq-producer -zadd".split())
    producer, looker = (RedisBroker(as_user(server, "ltq-producer")) for _ in range(2))
    stranger = RedisBroker(server.url)

    with pytest.raises(BrokerError, match="Grant the user the rights that docs/redis.md lists"):
        await producer.publish(message("one"))
    with pytest.raises(BrokerError, match="Grant the user the rights that docs/redis.md lists"):
        await looker.dead_letters(QUEUE)
    with pytest.raises(BrokerError, match="required. Give the URL a password"):
        await stranger.size(QUEUE)
    with pytest.raises(BrokerError, match="Give the URL a password"):
        await stranger.publish_many([message(label) for label in "abcdef"])


async def send_in_every_way(producer: RedisBroker) -> None:
    """What producers and schedulers do."""
    await producer.publish(message("one"))
    await producer.publish(message("late"), delay=0.1)
    await producer.publish_many([message("many", OTHER), message("more", OTHER)])
    await producer.publish_unique(message("unique"), "key")
    await producer.publish_tick("job", 60, message("tick"))

    assert await producer.last_tick(QUEUE, "job") == 60
    assert await producer.time() > 0
    assert await producer.size(OTHER) == 2


async def work_in_every_way(worker: RedisBroker) -> None:
    """What workers do, and people who look."""
    await worker.set_limits(OTHER, QueueLimits(Rate(0.001), 2))
    waiting = asyncio.ensure_future(worker.consume_many([QUEUE, OTHER], 1))
    [retried] = await waiting
    await worker.nack(retried, delay=0.1)
    [buried] = await worker.consume_many([QUEUE], 1)
    await worker.bury(buried, DeadLetter(buried.id, QUEUE, "failed", 0.0, buried))
    assert len(await worker.dead_letters(QUEUE)) == 1
    assert await worker.requeue_dead(QUEUE, [buried.id]) == 1
    ids = ["one", "late", "many", "more", "unique", "tick", "orphan"]
    await asyncio.wait_for(SmallWorker(worker, QUEUE, OTHER).drain(ids), 10)

    await worker.pause(QUEUE)
    assert (await worker.stats(QUEUE)).paused
    await worker.resume(QUEUE)
    await worker.publish(message("last"), delay=3600)
    assert await worker.queues() == [QUEUE]
    assert [one.id for one in await worker.peek(QUEUE)] == ["last"]
    assert await worker.workers(QUEUE) == []
    await worker.clear(QUEUE)


async def test_producer_may_not_consume(server: RedisServer) -> None:
    producer = RedisBroker(as_user(server, "ltq-producer"))
    await producer.publish(message("a"))
    with pytest.raises(BrokerError, match=r"refused") as caught:
        await asyncio.wait_for(producer.consume(QUEUE), 5)

    assert not isinstance(caught.value, BrokerUnavailableError)
    with suppress(BrokerError):  # nor may it give back what its claim might have leased
        await producer.close()


@pytest.mark.parametrize("user", ["ltq-worker", "ltq-producer"])
def test_nobody_may_do_more(server: RedisServer, user: str) -> None:
    with client(server, user) as someone:
        for command in (
            "GET secret",
            "SET secret 1",
            "KEYS *",
            "FLUSHALL",
            "CONFIG GET *",
            "ACL LIST",
            "INFO",
            "SHUTDOWN",
            "PUBLISH channel text",
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                someone.execute_command(*command.split())


async def test_wrong_password_is_told_without_it(server: RedisServer) -> None:
    broker = RedisBroker(server.url.replace("//", "//ltq-worker:s3cret@"))
    with pytest.raises(BrokerUnavailableError, match="WRONGPASS") as caught:
        await broker.size(QUEUE)

    assert "s3cret" not in repr(caught.value)
    await broker.close()
