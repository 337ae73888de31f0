"""Unique keys, ticks, dead letters: what of them is Redis' own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from fault_proxy import SCRIPTS
from ltq_core import Worker, current_message
from ltq_core.dead_letter import DeadLetter
from ltq_core.testing import wait_until
from ltq_redis import RedisBroker
from ltq_redis.inspection import PAGE
from redis_store import QUEUE, RedisStore, message
from small_worker import SmallWorker
from working import running, until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def broker(redis_url: str) -> Iterator[RedisBroker]:
    broker = RedisBroker(redis_url)
    yield broker
    asyncio.run(broker.close())


async def bury(broker: RedisBroker, *ids: str) -> None:
    """Let messages die, one after another."""
    for id_ in ids:
        await broker.publish(message(id_))
        held = await broker.consume(QUEUE)
        await broker.bury(held, DeadLetter(id_, QUEUE, "failed", 0.0, held))


async def test_key_is_held_for_its_time_after_its_message_has_ended(
    broker: RedisBroker, store: RedisStore
) -> None:
    await broker.publish_unique(message("a"), "key", hold=100)
    await SmallWorker(broker, QUEUE).drain(["a"])

    assert await broker.publish_unique(message("b"), "key") == "a"
    assert 90 < store.client.ttl(store.keys().unique("key")) <= 100
    await broker.close()


async def test_key_knows_an_id_with_spaces_whole(
    broker: RedisBroker, store: RedisStore
) -> None:
    await broker.publish_unique(message("a b c"), "key")
    standing = await broker.publish_unique(message("d"), "key")
    await SmallWorker(broker, QUEUE).drain(["a b c"])

    assert standing == "a b c"
    assert not store.client.exists(store.keys().unique("key"))
    await broker.close()


async def test_unreleased_key_expires_some_day(broker: RedisBroker, store: RedisStore) -> None:
    await broker.publish_unique(message("a"), "key")

    assert 399 * 86_400 < store.client.ttl(store.keys().unique("key")) <= 400 * 86_400
    await SmallWorker(broker, QUEUE).drain(["a"])
    assert store.left_behind() == []
    await broker.close()


@pytest.mark.parametrize("ctx", [{}, {"unique": "other"}, None])
@pytest.mark.parametrize("end", ["ack", "ack_many", "drop"])
async def test_key_is_released_whatever_the_task_did_to_ctx(
    broker: RedisBroker, store: RedisStore, ctx: Any, end: str
) -> None:
    await broker.publish_unique(message("a"), "key")
    held = await broker.consume(QUEUE)
    held.ctx = ctx
    if end == "ack":
        await broker.ack(held)
    elif end == "ack_many":
        await broker.ack_many([held])
    else:
        await broker.nack(held, drop=True)

    assert not store.client.exists(store.keys().unique("key"))
    await broker.close()


async def test_clear_goes_on_to_the_end_of_a_long_queue(
    broker: RedisBroker, store: RedisStore
) -> None:
    await broker.publish_many([message(str(number)) for number in range(PAGE + 1)])
    await broker.publish_unique(message("last"), "key", delay=10)
    await broker.clear(QUEUE)

    assert store.waiting() == {}
    assert not store.client.exists(store.keys().unique("key"))
    await broker.close()


async def test_clear_leaves_the_key_of_what_was_claimed_meanwhile(
    broker: RedisBroker, store: RedisStore
) -> None:
    one = message("a")
    await broker.publish_unique(one, "key")
    held = await broker.consume(QUEUE)
    keys = store.keys()
    names = [keys.queue, keys.queue, keys.wake, keys.deliveries, keys.running]
    names.append(keys.unique("key"))
    # What a clear does that had read the queue before the claim.
    store.client.eval(SCRIPTS["CLEAR"].text, len(names), *names, one.to_json(), 1, "a")

    assert await broker.publish_unique(message("b"), "key") == "a"
    await broker.ack(held)
    await broker.close()


async def test_tick_is_published_once_by_whoever_comes_first(
    redis_url: str, store: RedisStore
) -> None:
    brokers = [RedisBroker(redis_url) for _ in range(4)]
    for tick in range(60, 660, 60):
        answers = await asyncio.gather(
            *(one.publish_tick("job", tick, message(f"tick{tick}")) for one in brokers)
        )
        assert sorted(answers) == [False, False, False, True]
    assert store.waiting().total() == 10
    assert not await brokers[0].publish_tick("job", 60, message("earlier"))

    await brokers[0].clear(QUEUE)
    for one in brokers:
        await one.close()


async def test_last_tick_is_kept_for_a_while(broker: RedisBroker, store: RedisStore) -> None:
    await broker.publish_tick("job", 60.5, message("a"))
    await SmallWorker(broker, QUEUE).drain(["a"])

    assert await broker.last_tick(QUEUE, "job") == 60.5
    assert 399 * 86_400 < store.client.ttl(store.keys().cron) <= 400 * 86_400
    await broker.close()


async def test_oldest_dead_letters_make_room(redis_url: str, store: RedisStore) -> None:
    broker = RedisBroker(f"{redis_url}&dead_letters=3")
    await bury(broker, *"abcde")

    assert [one.id for one in await broker.dead_letters(QUEUE)] == ["e", "d", "c"]
    assert store.client.hlen(store.keys().letters) == 3
    await broker.close()


async def test_old_dead_letters_go(redis_url: str, store: RedisStore) -> None:
    broker = RedisBroker(f"{redis_url}&dead_letter_age=1")
    await bury(broker, "old")
    keys = store.keys()
    [(raw, died_at)] = store.client.zrange(keys.dead, 0, -1, withscores=True)
    store.client.zadd(keys.dead, {raw: died_at - 1})
    await bury(broker, "new")

    assert [one.id for one in await broker.dead_letters(QUEUE)] == ["new"]
    await wait_until(lambda: store.dead() == 0, 5, "the last one expires")
    assert not store.client.exists(keys.letters)
    await broker.close()


async def test_dead_letters_are_read_over_several_pages(broker: RedisBroker) -> None:
    ids = [f"{number:03}" for number in range(250)]
    await bury(broker, *ids)

    assert [one.id for one in await broker.dead_letters(QUEUE)] == ids[::-1]
    assert await broker.requeue_dead(QUEUE, ids[:120]) == 120
    assert await broker.delete_dead(QUEUE, ids) == 130
    assert await broker.size(QUEUE) == 120
    await broker.clear(QUEUE)
    await broker.close()


async def test_letter_of_a_reason_that_only_a_newer_version_knows_is_kept_as_it_is(
    broker: RedisBroker, store: RedisStore
) -> None:
    await bury(broker, *"abc")
    letters = store.keys().letters
    newer = store.client.hget(letters, "b").replace(b'"failed"', b'"superseded"')
    store.client.hset(letters, "b", newer)

    assert [(one.id, one.reason) for one in await broker.dead_letters(QUEUE)] == [
        ("c", "failed"),
        ("b", "superseded"),
        ("a", "failed"),
    ]
    assert await broker.requeue_dead(QUEUE, "b") == 1
    assert await broker.delete_dead(QUEUE, "abc") == 2
    await broker.clear(QUEUE)
    await broker.close()


async def test_two_that_requeue_at_once_requeue_each_letter_once(
    redis_url: str, store: RedisStore
) -> None:
    brokers = [RedisBroker(redis_url) for _ in range(2)]
    ids = [f"{number:02}" for number in range(20)]
    await bury(brokers[0], *ids)
    counts = await asyncio.gather(*(one.requeue_dead(QUEUE, ids) for one in brokers))

    assert sum(counts) == len(ids)
    assert sorted(store.waiting().elements()) == ids
    await brokers[0].clear(QUEUE)
    for one in brokers:
        await one.close()


async def test_message_that_its_runs_made_no_json_is_retried_and_dies(redis_url: str) -> None:
    worker = Worker("mail", redis_url)

    @worker.task(max_tries=2, backoff=0)
    async def send(to: list[str]) -> None:
        current_message().message.args[0].append(object())
        raise ValueError

    broker = RedisBroker(redis_url)
    async with running(worker):
        await send.send(["José"])
        await until(lambda: broker.dead_letters(send.name), "the message is dead")
    [letter] = await broker.dead_letters(send.name)

    assert letter.message is not None
    assert (letter.message.args, letter.tries) == ((["José"],), 2)
    assert await broker.delete_dead(send.name, [letter.id]) == 1
    await broker.close()
