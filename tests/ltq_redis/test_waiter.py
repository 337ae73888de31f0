"""Waiting without polling: tokens, times, and what an idle worker costs."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from ltq_core import BrokerUnavailableError
from ltq_core.abilities import QueueLimits
from ltq_core.testing import wait_until
from ltq_redis import RedisBroker
from ltq_redis.link import Link
from redis_store import OTHER, QUEUE, RedisStore, message
from small_worker import SmallWorker

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis

    from fault_proxy import FaultProxy
    from ltq_core import Message
    from redis_server import RedisServer

SOON = 1.0
"""Seconds within which a token leads to a message: far less than until the next sweep."""


BUSY = """
local function now() local time = redis.call('TIME') return time[1] + time[2] / 1e6 end
local till = now() + 0.3
repeat until now() > till
"""


@pytest.fixture
def brokers(redis_url: str) -> Iterator[list[RedisBroker]]:
    """Three brokers, each with connections of its own."""
    brokers = [RedisBroker(redis_url) for _ in range(3)]
    yield brokers
    for broker in brokers:
        asyncio.run(broker.close())


async def waiting(
    store: RedisStore, broker: RedisBroker, count: int = 1, limit: int = 10
) -> asyncio.Future[list[Message]]:
    """A call of *broker*, which is the one of *count* that waits last."""
    call = asyncio.ensure_future(broker.consume_many([QUEUE, OTHER], limit))
    await wait_until(lambda: store.blocked() == count, 5, f"{count} wait for a token")
    return call


async def end(*brokers: RedisBroker) -> None:
    for broker in brokers:
        await broker.clear(QUEUE)
        await broker.close()


async def test_message_wakes_one_worker(brokers: list[RedisBroker], store: RedisStore) -> None:
    calls = [await waiting(store, each, i + 1) for i, each in enumerate(brokers)]
    await brokers[0].publish(message("a"))
    done, asleep = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)

    assert len(done) == 1
    assert store.blocked() == 2
    for call in asleep:
        call.cancel()
    held = next(iter(done)).result()
    await brokers[calls.index(next(iter(done)))].ack_many(held)
    await end(*brokers)


async def test_burst_wakes_as_many_as_it_needs(
    brokers: list[RedisBroker], store: RedisStore
) -> None:
    calls = [await waiting(store, each, i + 1, limit=1) for i, each in enumerate(brokers)]
    await brokers[0].publish_many([message(id_) for id_ in "abc"])
    held = await asyncio.wait_for(asyncio.gather(*calls), SOON)

    assert sorted(one.id for [one] in held) == ["a", "b", "c"]
    await brokers[0].ack_many([one for [one] in held])
    await end(*brokers)


async def test_message_without_a_token_is_noticed_within_five_seconds(
    brokers: list[RedisBroker], store: RedisStore
) -> None:
    call = await waiting(store, brokers[0])
    store.put_raw(message("foreign").to_json())
    [one] = await asyncio.wait_for(call, 5)

    await brokers[0].ack(one)
    await end(*brokers)


async def test_message_without_a_token_is_noticed_before_a_later_one(
    brokers: list[RedisBroker], store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ltq_redis.waiter.SWEEP", 0.5)
    await brokers[1].publish(message("late"), delay=3600)
    call = await waiting(store, brokers[0])
    store.put_raw(message("foreign").to_json())
    [one] = await asyncio.wait_for(call, 2)

    await brokers[0].ack(one)
    await end(*brokers)


async def test_message_without_a_token_is_noticed_while_another_queue_is_never_quiet(
    brokers: list[RedisBroker], store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ltq_redis.waiter.SWEEP", 1.0)
    broker, producer, _ = brokers
    worker = SmallWorker(broker, QUEUE, OTHER)
    until = asyncio.get_running_loop().time() + 10
    async with worker.at_work():
        await wait_until(lambda: store.blocked() == 1, 5, "it waits for tokens")
        store.put_raw(message("foreign", OTHER).to_json(), OTHER)
        while not worker.runs["foreign"] and asyncio.get_running_loop().time() < until:
            id_ = f"{worker.runs.total()}"
            await producer.publish(message(id_))
            await wait_until(lambda id_=id_: worker.runs[id_], 5, "its token led to it")

    assert worker.runs["foreign"] == 1
    await end(*brokers)


async def test_token_of_a_queue_that_nobody_waits_for_is_handed_on_once(
    brokers: list[RedisBroker], proxied_url: str, store: RedisStore, proxy: FaultProxy
) -> None:
    _, producer, other = brokers
    broker = RedisBroker(proxied_url)
    forgotten = asyncio.ensure_future(broker.consume(OTHER))
    await wait_until(lambda: store.blocked() == 1, 5, "it waits for the one queue")
    forgotten.cancel()
    worker = SmallWorker(broker, QUEUE)
    async with worker.at_work():
        await wait_until(lambda: worker_waits(proxy, store), 5, "it waits for the other queue")
        await producer.publish(message("a", OTHER))
        await wait_until(lambda: proxy.calls["TOKEN"], 5, "it handed the token on")
        for number in range(5):
            await producer.publish(message(f"{number}"))
            await wait_until(lambda: worker.runs.total() > number, 5, "it was run")

    assert proxy.calls["TOKEN"] == 1
    assert store.client.llen(store.keys(OTHER).wake) == 1
    [one] = await asyncio.wait_for(other.consume_many([OTHER], 1), SOON)
    await other.ack(one)
    await broker.close()
    await end(*brokers)


def worker_waits(proxy: FaultProxy, store: RedisStore) -> bool:
    return proxy.calls["BLPOP"] >= 2 and store.blocked() == 1


async def test_queue_that_nobody_waited_for_is_waited_for_again(
    brokers: list[RedisBroker], store: RedisStore
) -> None:
    broker, producer, _ = brokers
    forgotten = asyncio.ensure_future(broker.consume(OTHER))
    await wait_until(lambda: store.blocked() == 1, 5, "it waits for a token")
    forgotten.cancel()
    await producer.publish(message("a", OTHER))
    await wait_until(lambda: store.blocked() == 0, 5, "nobody waits for the next one")
    held = await asyncio.wait_for(broker.consume_many([QUEUE, OTHER], 10), SOON)
    call = await waiting(store, broker)
    await producer.publish(message("b", OTHER))
    held += await asyncio.wait_for(call, SOON)

    assert [one.id for one in held] == ["a", "b"]
    await broker.ack_many(held)
    await end(*brokers)


async def test_tokens_of_a_wrong_type_stop_no_other_queue(
    brokers: list[RedisBroker],
    store: RedisStore,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("ltq_redis.waiter.SWEEP", 2.0)
    broker, producer, _ = brokers
    call = await waiting(store, broker)
    store.client.set(store.keys(OTHER).wake, "no list")
    await producer.publish(message("a"))
    held = await asyncio.wait_for(call, SOON)
    call = await waiting(store, broker)
    await producer.publish(message("b", OTHER))
    held += await asyncio.wait_for(call, 5)

    assert [one.id for one in held] == ["a", "b"]
    assert "Nothing wakes a worker for 'mail:digest'" in caplog.text
    store.client.delete(store.keys(OTHER).wake)
    await broker.ack_many(held)
    await end(*brokers)


async def test_delayed_message_is_awaited_exactly(
    brokers: list[RedisBroker], store: RedisStore
) -> None:
    call = await waiting(store, brokers[0])
    start = time.monotonic()
    await brokers[1].publish(message("a"), delay=0.5)
    [one] = await asyncio.wait_for(call, 5)

    assert 0.45 < time.monotonic() - start < 0.5 + SOON
    await brokers[0].ack(one)
    await end(*brokers)


async def test_new_queue_is_waited_for_at_once(
    brokers: list[RedisBroker], store: RedisStore
) -> None:
    broker, producer, _ = brokers
    first = asyncio.ensure_future(broker.consume(QUEUE))
    await wait_until(lambda: store.blocked() == 1, 5, "it waits for one queue")
    second = asyncio.ensure_future(broker.consume(OTHER))
    await producer.publish(message("b", OTHER))
    await producer.publish(message("a"))

    both = await asyncio.wait_for(asyncio.gather(first, second), 2 * SOON)
    assert [one.id for one in both] == ["a", "b"]
    await broker.ack_many(both)
    await end(*brokers)


async def test_new_queues_that_join_at_once_are_all_waited_for(
    brokers: list[RedisBroker], store: RedisStore
) -> None:
    (broker, producer, _), queues = brokers, [QUEUE, OTHER, "mail:third"]
    calls = [asyncio.ensure_future(broker.consume(QUEUE))]
    await wait_until(lambda: store.blocked() == 1, 5, "it waits for one queue")
    calls += [asyncio.ensure_future(broker.consume(queue)) for queue in queues[1:]]
    await producer.publish_many([message(queue, queue) for queue in queues])

    held = await asyncio.wait_for(asyncio.gather(*calls), 2 * SOON)
    assert [one.id for one in held] == queues
    await broker.ack_many(held)
    await end(*brokers)


async def test_worker_that_stops_claiming_passes_its_token_on(
    brokers: list[RedisBroker], store: RedisStore
) -> None:
    leaving, staying, producer = brokers
    call = await waiting(store, leaving)
    call.cancel()
    await leaving.release()
    assert await wait_until(lambda: store.blocked() == 0, 5, "it waits no more")
    await producer.publish(message("a"))

    [one] = await asyncio.wait_for(staying.consume_many([QUEUE], 1), SOON)
    await staying.ack(one)
    await end(*brokers)


async def test_token_spent_on_a_worker_that_leaves_is_replaced(
    brokers: list[RedisBroker], store: RedisStore
) -> None:
    leaving, staying, _ = brokers
    gone, call = await waiting(store, leaving), await waiting(store, staying, 2)
    gone.cancel()
    # As if its token had gone to the one that leaves.
    store.put_raw(message("a").to_json())
    await leaving.release()

    [one] = await asyncio.wait_for(call, SOON)
    await staying.ack(one)
    await end(*brokers)


async def test_token_is_replaced_where_the_server_is_busy_as_a_worker_leaves(
    any_server: RedisServer, own_client: redis.Redis
) -> None:
    leaving, staying = RedisBroker(any_server.url), RedisBroker(any_server.url)
    store = RedisStore(own_client, "")
    gone, call = await waiting(store, leaving), await waiting(store, staying, 2)
    gone.cancel()
    store.put_raw(message("a").to_json())
    # All that the one that leaves sends meanwhile comes to the server at once.
    own_client.connection_pool.get_connection().send_command("EVAL", BUSY, 0)
    await leaving.release()

    [one] = await asyncio.wait_for(call, SOON)
    await staying.ack(one)
    await end(leaving, staying)


@pytest.mark.parametrize("cut", [False, True], ids=["stays", "cut"])
async def test_token_is_replaced_that_comes_as_another_queue_joins(
    any_server: RedisServer,
    own_client: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    cut: bool,
) -> None:
    broker, store = RedisBroker(any_server.url), RedisStore(own_client, "")
    server, close = own_client.connection_pool.get_connection(), Link.close
    call = asyncio.ensure_future(broker.consume_many([QUEUE], 10))
    await wait_until(lambda: store.blocked() == 1, 5, "it waits for a token")

    async def close_as_a_message_comes(link: Link) -> None:
        # All of it comes to the server at once, and the end of the connection last.
        server.send_command("EVAL", BUSY, 0)
        server.send_command("ZADD", store.keys().queue, 0, message("a").to_json())
        server.send_command("RPUSH", store.keys().wake, 1)
        if cut:
            joining.cancel()
        await close(link)

    with monkeypatch.context() as patch:
        patch.setattr(Link, "close", close_as_a_message_comes)
        joining = asyncio.ensure_future(broker.consume_many([OTHER], 10))
        [one] = await asyncio.wait_for(call, SOON)
    joining.cancel()
    await broker.ack(one)
    await end(broker)


async def test_closing_ends_a_call_that_waits(
    brokers: list[RedisBroker], store: RedisStore
) -> None:
    call = await waiting(store, brokers[0])
    await brokers[0].close()

    with pytest.raises(BrokerUnavailableError, match="was closed"):
        await asyncio.wait_for(call, SOON)
    await end(*brokers)


async def test_idle_worker_costs_one_command_a_second(
    own_server: RedisServer, own_client: redis.Redis
) -> None:
    queues = [f"mail:task{number}" for number in range(50)]
    broker = RedisBroker(own_server.url)
    for queue in queues[::2]:
        await broker.set_limits(queue, QueueLimits(concurrency=10))
    call = asyncio.ensure_future(broker.consume_many(queues, 10))
    store = RedisStore(own_client, "")
    await wait_until(lambda: store.blocked() == 1, 5, "it waits")

    def commands() -> int:
        return int(own_client.info("stats")["total_commands_processed"])

    before = commands()
    await asyncio.wait({call}, timeout=6)
    spent = commands() - before - 1  # the last question itself

    assert spent <= 6 + 1
    call.cancel()
    await broker.close()
