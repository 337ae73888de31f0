"""Limits that all workers share, as they are kept in Redis."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from ltq_core.abilities import QueueLimits, Rate
from ltq_core.testing import Peer, wait_until
from ltq_redis import RedisBroker
from ltq_redis.scripts import CLAIM_LIMITED
from redis_store import QUEUE, RedisStore, message
from small_worker import SmallWorker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ltq_core import Broker, Message

CLOCKS = 0.02
"""Seconds by which a start may seem too early: clocks, and the way from Redis."""

INTERVAL, SOON = 0.5, 0.2
"""Seconds between two slots, and what one may be late; who has no turn looks after a second."""


@pytest.fixture
def broker(redis_url: str) -> Iterator[RedisBroker]:
    broker = RedisBroker(redis_url)
    yield broker
    asyncio.run(broker.close())


async def workers(url: str, limits: QueueLimits, count: int = 3) -> list[Peer]:
    """Workers with a thread and an event loop each."""

    async def make() -> Broker:
        broker = RedisBroker(url)
        await broker.set_limits(QUEUE, limits)
        return broker

    peers = [Peer() for _ in range(count)]
    for peer in peers:
        await peer.connect(make)
    return peers


async def send(broker: RedisBroker, *ids: str, **ctx: object) -> None:
    await broker.publish_many([message(id_, **ctx) for id_ in ids])


async def test_rate_spaces_the_starts_of_three_workers_in_order(
    broker: RedisBroker, redis_url: str
) -> None:
    interval, ids = 0.06, [f"{number:02}" for number in range(20)]
    starts: dict[str, float] = {}
    claims: dict[str, float] = {}

    async def work(peer: Broker) -> None:
        while len(starts) < len(ids):
            one = await peer.consume(QUEUE)
            starts[one.id] = time.time()  # the clock of a server on this machine
            assert one.delivery is not None
            claims[one.id] = one.delivery.claimed_at
            await peer.ack(one)

    peers = await workers(redis_url, QueueLimits(Rate(interval)))
    await send(broker, *ids)
    calls = [peer.submit(work) for peer in peers]
    await wait_until(lambda: len(starts) == len(ids), 20, "all were started")
    for call, peer in zip(calls, peers, strict=True):
        call.cancel()
        await peer.remove()

    # A thread may come late to a message that was given to it in time.
    late = [starts[id_] - claims[ids[0]] - slot * interval for slot, id_ in enumerate(ids)]
    assert min(late) > -CLOCKS
    assert sorted(ids, key=claims.__getitem__) == ids
    await broker.close()


async def test_second_after_a_stall_of_the_loop_sees_no_more_than_the_rate(
    broker: RedisBroker,
) -> None:
    interval = 0.01
    starts: list[float] = []
    held: list[Message] = []
    await broker.set_limits(QUEUE, QueueLimits(Rate(interval)))
    await send(broker, *(f"{number:03}" for number in range(180)))
    while len(starts) < 180:
        held = await broker.consume_many([QUEUE], 50, held)
        starts += [time.monotonic()] * len(held)
        if len(starts) in range(20, 30):
            time.sleep(0.1)  # noqa: ASYNC251 - the slots of that time are reserved
    seconds = [sum(at <= other < at + 1 for other in starts) for at in starts]

    assert max(seconds) <= 1 / interval * (1 + CLOCKS) + 1
    await broker.ack_many(held)
    await broker.close()


async def test_concurrency_holds_for_three_workers(broker: RedisBroker, redis_url: str) -> None:
    running, most, done, lock = 0, 0, Counter[str](), threading.Lock()

    async def work(peer: Broker) -> None:
        nonlocal running, most
        while True:
            one = await peer.consume(QUEUE)
            with lock:
                running += 1
                most = max(most, running)
            await asyncio.sleep(0.005)
            with lock:
                running -= 1
            await peer.ack(one)
            with lock:
                done[one.id] += 1

    ids = [f"{number:02}" for number in range(40)]
    peers = await workers(redis_url, QueueLimits(concurrency=2))
    await send(broker, *ids)
    calls = [peer.submit(work) for peer in peers for _ in range(3)]
    await wait_until(lambda: done.total() == len(ids), 20, "all were run")
    for call in calls:
        call.cancel()
    for peer in peers:
        await peer.remove()

    assert done == Counter(ids)
    assert most == 2
    await broker.close()


async def test_place_of_a_dead_worker_is_given_back(
    broker: RedisBroker, store: RedisStore
) -> None:
    store.put_dead_worker("dead", message("a"))
    store.client.hset(store.keys().running, "", 1)
    await broker.set_limits(QUEUE, QueueLimits(concurrency=1))
    await send(broker, "b")
    worker = SmallWorker(broker, QUEUE)
    await asyncio.wait_for(worker.drain(["a", "b"]), 5)

    assert store.left_behind() == []
    await broker.close()


async def test_keyed_limits_move_each_message_once_and_keep_their_order(
    broker: RedisBroker, store: RedisStore
) -> None:
    limits = QueueLimits(Rate(0.03), 1, rate_keyed=True, concurrency_keyed=True)
    await broker.set_limits(QUEUE, limits)
    for number, key in itertools.product(range(4), "abc"):
        await send(broker, f"{key}{number}", rate_key=key, concurrency_key=key)
    order: list[str] = []
    held: list[Message] = []
    while len(order) < 12:
        held = await asyncio.wait_for(broker.consume_many([QUEUE], 10, held), 5)
        assert all(count == 1 for count in Counter(one.id[0] for one in held).values())
        order += [one.id for one in held]
    await broker.ack_many(held)

    assert {key: [id_ for id_ in order if id_[0] == key] for key in "abc"} == {
        key: [f"{key}{number}" for number in range(4)] for key in "abc"
    }
    assert store.left_behind() == []
    await broker.close()


async def test_slot_that_is_near_comes_after_free_ones_of_other_keys(
    broker: RedisBroker, store: RedisStore
) -> None:
    await broker.set_limits(QUEUE, QueueLimits(Rate(0.04), rate_keyed=True))
    await send(broker, *(f"a{number}" for number in range(9)), rate_key="a")
    await send(broker, "b", rate_key="b")
    order: list[str] = []
    while len(order) < 10:
        messages = await asyncio.wait_for(broker.consume_many([QUEUE], 1), 5)
        order += [one.id for one in messages]
        await broker.ack_many(messages)

    assert order.index("b") <= 1
    assert store.left_behind() == []
    await broker.close()


async def test_slots_are_remembered_until_they_are_over(
    broker: RedisBroker, store: RedisStore
) -> None:
    await broker.set_limits(QUEUE, QueueLimits(Rate(30), rate_keyed=True))
    await send(broker, "1", rate_key="a")
    await broker.ack(await broker.consume(QUEUE))
    await send(broker, "2", "3", "4", rate_key="a")
    looking = asyncio.ensure_future(broker.consume(QUEUE))
    keys = store.keys()
    await wait_until(lambda: store.client.zcard(keys.parked) == 3, 5, "they wait in line")
    looking.cancel()

    [(_, last)] = store.client.zrange(keys.rate, -1, -1, withscores=True)
    until = store.client.time()[0] + store.client.ttl(keys.rate)
    assert until >= last - 1
    assert await broker.size(QUEUE) == 3
    await broker.clear(QUEUE)
    await broker.close()


async def test_keys_that_hold_zero_bytes_are_told_apart(
    broker: RedisBroker, store: RedisStore
) -> None:
    limits = QueueLimits(concurrency=1, concurrency_keyed=True)
    await broker.set_limits(QUEUE, limits)
    for key in ("k", "k\0x", "k\1", ""):
        await send(broker, *(f"{key!r}{number}" for number in range(3)), concurrency_key=key)
    ids = list(store.waiting())
    worker = SmallWorker(broker, QUEUE)
    await asyncio.wait_for(worker.drain(ids), 5)

    assert worker.runs == Counter(ids)
    assert store.left_behind() == []
    await broker.close()


async def test_clear_of_a_line_gives_back_no_place(
    broker: RedisBroker, store: RedisStore
) -> None:
    await broker.set_limits(QUEUE, QueueLimits(concurrency=1, concurrency_keyed=True))
    await send(broker, "1", "2", "3", concurrency_key="p")  # as what holds a place begins
    [held] = await broker.consume_many([QUEUE], 10)
    looking = asyncio.ensure_future(broker.consume(QUEUE))
    keys = store.keys()
    await wait_until(lambda: store.client.zcard(keys.parked) == 2, 5, "they wait in line")
    looking.cancel()
    await broker.clear(QUEUE)

    assert store.client.hgetall(keys.running) == {b"p": b"1"}
    await broker.ack(held)
    assert store.left_behind() == []
    await broker.close()


@pytest.mark.parametrize("kind", ["lines", "reserved"])
def test_slot_a_rounding_error_beyond_the_horizon_waits(store: RedisStore, kind: str) -> None:
    # Slots are kept as text of six digits: one that is later than the horizon only before
    # it is written would be found again and again, for ever.
    times = (1.7e9 + number / 1e6 for number in range(1000))
    now = next(time for time in times if float(f"{time + 0.1:.6f}") > time + 0.1)
    keys, raw, slot = store.keys(), message("1", rate_key="k").to_json(), f"{now + 0.1:.6f}"
    store.client.zadd(keys.rate, {"k": slot})
    if kind == "lines":
        store.client.zadd(keys.parked, {b"rk\0001700000000.0\0" + raw: 0})
        store.client.zadd(keys.lines, {"k": slot})
    else:
        store.client.zadd(keys.reserved, {b"p1700000000.0\0" + raw: slot})
    script = CLAIM_LIMITED.text.replace("t[1] + t[2] / 1000000", f"{now!r}")
    names = [keys.queue, keys.processing("w.1"), keys.workers, keys.deliveries, keys.suspects]
    names += [keys.wake, keys.running, keys.parked, keys.reserved, keys.rate, keys.turn]
    names += [keys.paused, keys.lines]
    reply = store.client.eval(
        script, len(names), *names, "w.1", 1, 9, 1, 1, 1, 1, 0, 0, "w", 0.1, 0, 1
    )

    assert reply[-2] == 1
    for key in (keys.processing("w.1"), keys.workers):
        store.client.delete(key)


async def test_resumed_queue_wakes_somebody_for_a_line(
    broker: RedisBroker, store: RedisStore
) -> None:
    await broker.set_limits(QUEUE, QueueLimits(Rate(0.5), rate_keyed=True))
    await send(broker, "1", "2", rate_key="a")
    await broker.ack_many(await broker.consume_many([QUEUE], 10))
    await broker.pause(QUEUE)
    waiting = asyncio.ensure_future(broker.consume(QUEUE))
    await asyncio.sleep(1)  # its slot passes
    await broker.resume(QUEUE)

    assert (await asyncio.wait_for(waiting, 1)).id == "2"
    await broker.ack(waiting.result())
    await broker.close()


async def test_clear_gives_back_the_places_that_waiting_messages_hold(
    broker: RedisBroker, store: RedisStore
) -> None:
    await broker.set_limits(QUEUE, QueueLimits(concurrency=1, concurrency_keyed=True))
    await send(broker, "a1", "a2", "a3", concurrency_key="a")
    [held] = await broker.consume_many([QUEUE], 10)
    await broker.ack(held)  # its place goes to the next one, which nobody takes
    assert store.client.zcard(store.keys().reserved) == 1
    await broker.clear(QUEUE)

    assert store.left_behind() == []
    await send(broker, "a4", concurrency_key="a")
    await asyncio.wait_for(SmallWorker(broker, QUEUE).drain(["a4"]), 5)
    await broker.close()


async def test_waiting_for_a_slot_costs_few_commands(
    broker: RedisBroker, redis_url: str, store: RedisStore
) -> None:
    await broker.set_limits(QUEUE, QueueLimits(Rate(0.5)))
    await send(broker, "a", "b", "c")
    worker = SmallWorker(broker, QUEUE)
    before = commands(store)
    await worker.drain(["a", "b", "c"])

    # A claim and an ack for each, and a beat: all else was spent on waiting for a slot.
    assert commands(store) - before <= 3 * (2 + 2) + 2
    await broker.close()


@pytest.mark.parametrize("limit", [1, 2, 5])
async def test_limited_message_costs_a_claim_and_an_ack(
    broker: RedisBroker, store: RedisStore, limit: int
) -> None:
    await broker.set_limits(QUEUE, QueueLimits(Rate(0.01)))
    await send(broker, *(f"{number:02}" for number in range(60)))
    before = commands(store)
    left = 60
    while left:
        messages = await broker.consume_many([QUEUE], limit)
        left -= len(messages)
        await broker.ack_many(messages)

    assert commands(store) - before <= 60 * 2 + 10  # a token, a beat, and waits for them
    await broker.close()


async def test_idle_worker_joins_one_that_takes_slots(
    broker: RedisBroker, redis_url: str, store: RedisStore
) -> None:
    took: Counter[Broker] = Counter()

    async def work(peer: Broker) -> None:
        while True:
            messages = await peer.consume_many([QUEUE], 2)
            took[peer] += len(messages)
            await peer.ack_many(messages)

    peers = await workers(redis_url, QueueLimits(Rate(0.02)), 2)
    calls = [peer.submit(work) for peer in peers]
    await wait_until(lambda: store.blocked() == 2, 5, "both wait")
    await send(broker, *(f"{number:02}" for number in range(75)))
    await wait_until(lambda: took.total() == 75, 10, "all were taken")
    for call, peer in zip(calls, peers, strict=True):
        call.cancel()
        await peer.remove()

    assert len(took) == 2
    await broker.close()


async def test_worker_that_is_full_at_its_turn_leaves_the_slot_to_another(
    broker: RedisBroker, redis_url: str, store: RedisStore
) -> None:
    other = RedisBroker(redis_url)
    first = await take_a_turn(broker, other, store)
    waiting = asyncio.ensure_future(other.consume(QUEUE))
    second = await asyncio.wait_for(waiting, 5)

    assert apart(first, second) < INTERVAL + SOON
    await other.ack(second)
    await other.clear(QUEUE)
    await broker.close()
    await other.close()


async def test_worker_that_leaves_gives_its_turn_back(
    broker: RedisBroker, redis_url: str, store: RedisStore
) -> None:
    other = RedisBroker(redis_url)
    await take_a_turn(broker, other, store)
    await broker.close()

    assert store.client.get(store.keys().turn) is None
    await other.clear(QUEUE)
    await other.close()


async def test_worker_that_took_its_slot_leaves_the_next_one_to_another(
    broker: RedisBroker, redis_url: str, store: RedisStore
) -> None:
    other = RedisBroker(redis_url)
    await take_a_turn(broker, other, store)
    waiting = asyncio.ensure_future(other.consume(QUEUE))
    second = await broker.consume(QUEUE)  # and this worker has no room from here on
    third = await asyncio.wait_for(waiting, 5)

    assert apart(second, third) < INTERVAL + SOON
    await broker.ack(second)
    await other.ack(third)
    await broker.close()
    await other.close()


async def take_a_turn(broker: RedisBroker, other: RedisBroker, store: RedisStore) -> Message:
    """Run the first of three messages, and wait for the next slot, but no longer."""
    for one in (broker, other):
        await one.set_limits(QUEUE, QueueLimits(Rate(INTERVAL)))
    await send(broker, "1", "2", "3")
    first = await broker.consume(QUEUE)
    await broker.ack(first)
    waiting = asyncio.ensure_future(broker.consume(QUEUE))
    await wait_until(lambda: store.blocked() == 1, 5, "it waits for its turn")
    waiting.cancel()
    await asyncio.wait({waiting})
    return first


def apart(one: Message, later: Message) -> float:
    """Seconds between two claims, on the server's clock."""
    assert one.delivery is not None
    assert later.delivery is not None
    return later.delivery.claimed_at - one.delivery.claimed_at


def commands(store: RedisStore) -> int:
    """Scripts and waits that clients sent."""
    stats = store.client.info("commandstats")
    return sum(
        stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("evalsha", "blpop")
    )
