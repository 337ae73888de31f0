"""Claims: no more than there is room for, a share for each queue, nothing beside a suspect."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from ltq_core import BrokerError, BrokerUnavailableError
from ltq_core.abilities import QueueLimits, Rate
from ltq_core.dead_letter import DeadLetter
from ltq_core.testing import wait_until
from ltq_redis import RedisBroker
from redis_store import OTHER, QUEUE, RedisStore, message
from small_worker import SmallWorker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fault_proxy import FaultProxy
    from ltq_core import Message

FREE = QueueLimits(concurrency=1000)
"""Limits that hinder nothing, and lead through the script that knows limits."""

LEASE = 3.0

SOON = 1.0
"""Seconds within which a message starts beside a backlog: many looks."""


@pytest.fixture
def broker(redis_url: str) -> Iterator[RedisBroker]:
    broker = RedisBroker(redis_url)
    yield broker
    asyncio.run(broker.close())


async def published(broker: RedisBroker, count: int, queue: str = QUEUE) -> list[str]:
    ids = [f"{queue[-4:]}{number:03}" for number in range(count)]
    await broker.publish_many([message(id_, queue) for id_ in ids])
    return ids


async def cleared(broker: RedisBroker, *held: Message) -> None:
    """Settle what is held, and remove the rest."""
    await broker.ack_many(held)
    await broker.release()
    for queue in (QUEUE, OTHER):
        await broker.clear(queue)
    await broker.close()


@pytest.mark.parametrize("limited", [False, True])
async def test_no_more_is_leased_than_there_is_room_for(
    broker: RedisBroker, store: RedisStore, limited: bool
) -> None:
    if limited:
        await broker.set_limits(QUEUE, FREE)
    await published(broker, 50)
    held = await broker.consume_many([QUEUE], 3)

    assert (len(held), store.held().total()) == (3, 3)
    await cleared(broker, *held)


async def test_slots_ahead_are_taken_only_for_free_places(
    broker: RedisBroker, store: RedisStore
) -> None:
    await broker.set_limits(QUEUE, QueueLimits(Rate(interval=0.02)))
    await published(broker, 20)
    held = await broker.consume_many([QUEUE], 1)
    for _ in range(5):
        held += await broker.consume_many([QUEUE], 1)
        assert store.held().total() == len(held)

    await cleared(broker, *held)


async def test_room_that_is_filled_already_is_not_claimed_again(
    broker: RedisBroker, store: RedisStore
) -> None:
    await published(broker, 20)
    for _ in range(5):
        call = asyncio.ensure_future(broker.consume_many([QUEUE], 3))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait({call})
    held = await broker.consume_many([QUEUE], 3)
    held += await broker.consume_many([QUEUE], 3, held)

    assert store.held().total() <= 3 + 2 * 3
    await cleared(broker, *held)


@pytest.mark.parametrize("limit", [1, 2, 10])
async def test_limited_queue_gets_its_share_beside_a_backlog(
    broker: RedisBroker, limit: int
) -> None:
    await broker.set_limits(OTHER, FREE)
    await published(broker, 100)
    await published(broker, 100, OTHER)
    runs: Counter[str] = Counter()
    held: list[Message] = []
    while runs.total() < 60:
        held = await broker.consume_many([QUEUE, OTHER], limit, held)
        runs.update(one.task_name for one in held)

    assert min(runs.values()) >= 20, runs
    await cleared(broker, *held)


BUSY = [QueueLimits(), FREE, QueueLimits(Rate(interval=0.005))]
"""Limits of a queue that always has messages: none, in name only, and a rate."""


@pytest.mark.parametrize("delayed", [False, True], ids=["empty", "delayed"])
@pytest.mark.parametrize("limit", [1, 4, 50])
@pytest.mark.parametrize("busy", BUSY, ids=["free", "limited", "paced"])
async def test_queue_is_looked_at_while_another_always_has_messages(
    broker: RedisBroker, store: RedisStore, busy: QueueLimits, limit: int, delayed: bool
) -> None:
    await broker.set_limits(QUEUE, busy)
    await published(broker, 100)
    if delayed:
        await broker.publish(message("later", OTHER), delay=60)
    held = await broker.consume_many([QUEUE, OTHER], limit)
    for _ in range(3):  # by now it knows what the other queue holds
        held = await work_on(broker, limit, held)
    await broker.publish(message("now", OTHER))
    async with asyncio.timeout(SOON):
        while "now" not in [one.id for one in held]:
            held = await work_on(broker, limit, held)

    assert store.waiting()
    await cleared(broker, *held)


async def work_on(broker: RedisBroker, limit: int, held: list[Message]) -> list[Message]:
    """Settle *held* and claim more; as many messages wait as before."""
    await broker.publish_many([message(os.urandom(8).hex()) for _ in held])
    return await broker.consume_many([QUEUE, OTHER], limit, held)


async def test_reserved_slots_leave_room_for_other_queues(
    broker: RedisBroker, store: RedisStore
) -> None:
    await broker.set_limits(QUEUE, QueueLimits(Rate(interval=0.005)))
    await published(broker, 100)
    await published(broker, 100, OTHER)
    runs: Counter[str] = Counter()
    held: list[Message] = []
    while runs[OTHER] < 100:
        held = await broker.consume_many([QUEUE, OTHER], 8, held)
        runs.update(one.task_name for one in held)
        reserved = store.held().keys() - {one.id for one in held}
        assert len(reserved) <= 4

    assert runs[QUEUE] < 100
    await cleared(broker, *held)


async def test_only_free_place_is_kept_for_a_slot_for_a_moment(broker: RedisBroker) -> None:
    await broker.set_limits(QUEUE, QueueLimits(Rate(interval=0.1)))
    await published(broker, 10)
    await published(broker, 1000, OTHER)
    kept: list[float] = []
    held: list[Message] = []
    while len(kept) < 5:
        held = await broker.consume_many([QUEUE, OTHER], 1, held)
        now = time.time()
        kept += [now - one.delivery.claimed_at for one in held if one.task_name == QUEUE]

    assert sorted(kept)[1] < 0.02  # of the first one, nothing was reserved
    await cleared(broker, *held)


async def test_slow_reply_lets_no_later_message_start_first(broker: RedisBroker) -> None:
    await broker.set_limits(QUEUE, QueueLimits(Rate(interval=0.02)))
    ids = await published(broker, 50)
    held = await broker.consume_many([QUEUE], 4)
    started = [one.id for one in held]
    while len(started) < len(ids):
        call = asyncio.ensure_future(broker.consume_many([QUEUE], 4, held))
        await asyncio.sleep(0.001)
        time.sleep(0.05 * random.random())  # noqa: ASYNC251 - a reply that comes now is read later
        held = await call
        started += [one.id for one in held]

    assert started == ids
    await cleared(broker, *held)


async def test_queue_of_a_wrong_type_is_not_asked_at_each_look(
    broker: RedisBroker, store: RedisStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.client.set(store.keys(OTHER).queue, "no queue")
    await published(broker, 10)
    held: list[Message] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(0.5):
            while True:
                held = await work_on(broker, 1, held)

    assert caplog.text.count("Nothing can be claimed") == 1
    store.client.delete(store.keys(OTHER).queue)
    await cleared(broker, *held)


async def test_queue_that_is_passed_over_wakes_somebody_else(
    broker: RedisBroker, redis_url: str, store: RedisStore
) -> None:
    idle = RedisBroker(redis_url)
    waiting = asyncio.ensure_future(idle.consume_many([QUEUE, OTHER], 1))
    await wait_until(lambda: store.blocked() == 1, 5, "it waits for a token")
    # Without tokens: as if this worker had spent both.
    store.put_raw(message("a", QUEUE).to_json(), QUEUE)
    store.put_raw(message("b", OTHER).to_json(), OTHER)
    held = await broker.consume_many([QUEUE, OTHER], 1)
    others = await asyncio.wait_for(waiting, 1)

    assert sorted(one.id for one in held + others) == ["a", "b"]
    await idle.ack_many(others)
    await idle.close()
    await cleared(broker, *held)


def put_suspect(store: RedisStore, one: Message, delay: float = 0) -> None:
    """Let *one* wait as a message that was in flight at two crashes."""
    keys, now = store.keys(one.task_name), store.client.time()[0]
    store.client.zadd(keys.suspects, {one.to_json(): now + delay})
    store.client.hset(keys.deliveries, one.to_json(), 2)


@pytest.mark.parametrize("limited", [QUEUE, OTHER])
async def test_nothing_is_claimed_beside_a_suspect(
    broker: RedisBroker, store: RedisStore, limited: str
) -> None:
    await broker.set_limits(limited, FREE)
    put_suspect(store, message("suspect"))
    await published(broker, 5)
    await published(broker, 5, OTHER)
    held = await broker.consume_many([QUEUE, OTHER], 10)
    while held[0].id != "suspect":
        held = await broker.consume_many([QUEUE, OTHER], 10, held)

    assert [one.id for one in held] == ["suspect"]
    assert (store.held() + store.held(OTHER)).total() == 1
    await cleared(broker, *held)


async def test_suspect_takes_no_place_beyond_the_limit(
    broker: RedisBroker, redis_url: str, store: RedisStore
) -> None:
    other = RedisBroker(redis_url)
    for each in (broker, other):
        await each.set_limits(QUEUE, QueueLimits(concurrency=1))
    await published(broker, 1)
    held = await other.consume(QUEUE)
    put_suspect(store, message("suspect"))
    waiting = asyncio.ensure_future(broker.consume(QUEUE))
    await asyncio.wait({waiting}, timeout=0.5)
    assert not waiting.done()

    await other.ack(held)
    suspect = await asyncio.wait_for(waiting, 2)
    await other.close()
    await cleared(broker, suspect)


async def test_suspect_that_is_delayed_holds_nobody_up(
    broker: RedisBroker, store: RedisStore
) -> None:
    put_suspect(store, message("suspect"), delay=3600)
    ids = await published(broker, 20)
    worker = SmallWorker(broker, QUEUE)
    await asyncio.wait_for(worker.drain(ids, limit=2), 2)

    assert worker.runs == Counter(ids)
    await cleared(broker)


async def test_worker_with_a_suspect_leaves_tokens_to_others(
    broker: RedisBroker, redis_url: str, store: RedisStore
) -> None:
    put_suspect(store, message("suspect"))
    suspect = await broker.consume(QUEUE)
    waiting = asyncio.ensure_future(broker.consume(QUEUE))
    other = RedisBroker(redis_url)
    for number in range(3):
        call = asyncio.ensure_future(other.consume(QUEUE))
        await wait_until(lambda: store.blocked() == 1, 5, "only the other one waits")
        await broker.publish(message(f"{number}"))
        await other.ack(await asyncio.wait_for(call, 2))
    waiting.cancel()

    await other.close()
    await cleared(broker, suspect)


async def test_claim_that_is_executed_late_is_adopted(
    proxied_url: str, redis_url: str, store: RedisStore, proxy: FaultProxy
) -> None:
    late, other = RedisBroker(proxied_url), RedisBroker(redis_url)
    proxy.plan("CLAIM", "late")
    with pytest.raises(BrokerUnavailableError):
        await late.consume(QUEUE)
    looking = asyncio.ensure_future(late.consume(QUEUE))
    await wait_until(lambda: proxy.calls["BLPOP"], 5, "it looked, and found nothing leased")
    keys = store.keys()
    # Nobody may wait for tokens, or the message would go to whoever is woken.
    store.put_raw(message("a").to_json())
    await wait_until(store.held, 5, "the late claim has leased it")
    one = await asyncio.wait_for(looking, LEASE)

    assert one.delivery is not None
    assert (one.id, one.delivery.crashes) == ("a", 0)
    assert store.client.exists(keys.deliveries) == 0
    await late.ack(one)
    await late.close()
    await other.close()


@pytest.mark.parametrize("limited", [False, True])
async def test_queue_of_a_wrong_type_stops_only_itself(
    broker: RedisBroker, store: RedisStore, limited: bool
) -> None:
    if limited:
        await broker.set_limits(OTHER, FREE)
    store.client.set(store.keys(OTHER).queue, "no sorted set")
    ids = await published(broker, 5)
    await SmallWorker(broker, QUEUE, OTHER).drain(ids, limit=2)

    store.client.delete(store.keys(OTHER).queue)
    await cleared(broker)


@pytest.mark.parametrize("kind", ["running", "rate", "reserved", "deliveries"])
async def test_junk_in_a_key_of_the_brokers_own_stops_no_other_queue(
    broker: RedisBroker, store: RedisStore, kind: str
) -> None:
    await broker.set_limits(OTHER, QueueLimits(Rate(0.01), 1))
    await published(broker, 1, OTHER)
    keys = store.keys(OTHER)
    [raw] = store.client.zrange(keys.queue, 0, -1)
    if kind in ("running", "deliveries"):
        store.client.hset(getattr(keys, kind), raw if kind == "deliveries" else "", "junk")
    elif kind == "rate":
        store.client.zadd(keys.rate, {"": "inf"})
    else:
        store.client.zadd(keys.reserved, {"junk": 1})
    ids = await published(broker, 5)
    await asyncio.wait_for(SmallWorker(broker, QUEUE, OTHER).drain(ids, limit=2), 10)

    store.client.delete(getattr(keys, kind), keys.rate)
    await cleared(broker)


async def test_dead_letters_of_a_wrong_type_stop_nothing_else(
    broker: RedisBroker, store: RedisStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.client.set(store.keys(OTHER).dead, "no sorted set")
    store.put_raw(b"no message", OTHER)
    ids = await published(broker, 5) + await published(broker, 5, OTHER)
    worker = SmallWorker(broker, QUEUE, OTHER)
    await asyncio.wait_for(worker.drain(ids, limit=2), 10)

    assert worker.runs == Counter(ids)
    assert "stays in 'mail:digest': Redis at " in caplog.text
    store.client.delete(store.keys(OTHER).dead)
    await broker.close()  # gives the bytes back
    await cleared(broker)


@pytest.mark.parametrize(
    "kind", ["parked", "running", "rate", "reserved", "workers", "deliveries"]
)
async def test_limits_of_a_wrong_type_lose_nothing(
    broker: RedisBroker, store: RedisStore, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ltq_redis.waiter.SWEEP", 0.3)
    limits = QueueLimits(Rate(0.01), 1, rate_keyed=True, concurrency_keyed=True)
    await broker.set_limits(QUEUE, limits)
    ids = await published(broker, 5)
    key = getattr(store.keys(), kind)
    store.client.set(key, "something else")
    worker = SmallWorker(broker, QUEUE)
    with suppress(TimeoutError):
        await asyncio.wait_for(worker.drain(ids), 0.3)

    store.client.delete(key)
    await asyncio.wait_for(worker.drain(ids), 10)
    assert worker.runs == Counter(ids)
    await cleared(broker)


@pytest.mark.parametrize("kind", ["parked", "reserved"])
async def test_lifting_a_limit_fails_for_no_key_of_a_wrong_type(
    broker: RedisBroker, store: RedisStore, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker does so at its start, for each queue that has no limits."""
    key = getattr(store.keys(), kind)
    store.client.set(key, "no sorted set")
    await broker.set_limits(QUEUE, QueueLimits())

    assert "waits for a limit of 'mail:send' stays there" in caplog.text
    store.client.delete(key)
    await cleared(broker)


@pytest.mark.parametrize("end", ["delay", "place", "bury"])
async def test_message_stays_held_where_its_next_place_is_of_a_wrong_type(
    broker: RedisBroker, store: RedisStore, end: str
) -> None:
    await published(broker, 1)
    held = await broker.consume(QUEUE)
    keys = store.keys()
    store.client.mset({keys.queue: "no sorted set", keys.dead: "no sorted set"})
    with pytest.raises(BrokerError, match="WRONGTYPE"):
        if end == "bury":
            letter = DeadLetter(held.id, QUEUE, "failed", 0.0, held)
            await broker.bury(held, letter)
        else:
            await broker.nack(held, delay=1 if end == "delay" else 0)

    assert store.held() == Counter([held.id])
    store.client.delete(keys.queue, keys.dead)
    await cleared(broker, held)


@pytest.mark.parametrize("limited", [False, True])
@pytest.mark.parametrize("score", ["-inf", -1.5])
async def test_messages_whose_score_is_below_zero_are_run(
    broker: RedisBroker, store: RedisStore, score: str | float, limited: bool
) -> None:
    if limited:
        limits = QueueLimits(Rate(0.01), 1, rate_keyed=True, concurrency_keyed=True)
        await broker.set_limits(QUEUE, limits)
    for id_ in "ab":  # the second one has to wait for the place of the first
        store.client.zadd(store.keys().queue, {message(id_).to_json(): score})
    await published(broker, 1)
    worker = SmallWorker(broker, QUEUE)
    await worker.drain(["a", "b", f"{QUEUE[-4:]}000"])
    await cleared(broker)


async def test_part_of_a_dead_worker_stays_where_its_queue_is_of_a_wrong_type(
    broker: RedisBroker, store: RedisStore
) -> None:
    store.put_dead_worker("dead", message("a"))
    store.put_dead_worker("dead too", message("b", OTHER))
    store.client.set(store.keys().queue, "no sorted set")
    await SmallWorker(broker, QUEUE, OTHER).drain(["b"])
    assert store.held() == Counter("a")

    store.client.delete(store.keys().queue)
    worker = SmallWorker(broker, QUEUE, OTHER)
    await asyncio.wait_for(worker.drain(["a"]), LEASE)
    await cleared(broker)


async def test_acks_of_a_claim_that_was_cut_are_not_lost(
    broker: RedisBroker, store: RedisStore
) -> None:
    await broker.publish(message("a"))
    held = await broker.consume(QUEUE)
    waiting = asyncio.ensure_future(broker.consume_many([QUEUE], 1, [held]))
    await wait_until(lambda: not store.held(), 5, "the ack is settled")
    await wait_until(store.blocked, 5, "the claim waits for messages")
    waiting.cancel()
    await asyncio.wait({waiting})

    assert await broker.ack_many([held]) == []
    assert held.delivery is not None
    assert not held.delivery.lease_lost
    await broker.close()
