"""Connections that break around every kind of call, and calls that are sent again."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

from fault_proxy import CUTS, SCRIPTS, FaultProxy
from ltq_core.abilities import QueueLimits, Rate
from ltq_core.dead_letter import DeadLetter
from ltq_core.testing import wait_until
from ltq_redis import RedisBroker
from redis_store import QUEUE, RedisStore, message
from small_worker import SmallWorker

if TYPE_CHECKING:
    from ltq_core.message import Message

TAKEOVER = 9.0  # a lease of 3 s, half a lease for the take-over, and a loaded machine


class Stage:
    """A broker behind the proxy, one beside it, and a look into the store.

    Attributes:
        broker: What meets the faults.
        other: What does not.
        worker: A worker on `broker`.
    """

    def __init__(self, proxied: str, direct: str, store: RedisStore, proxy: FaultProxy) -> None:
        self.broker, self.other = RedisBroker(proxied), RedisBroker(direct)
        self.worker = SmallWorker(self.broker, QUEUE)
        self.store = store
        self.proxy = proxy
        self._numbers = itertools.count()

    def some(self, count: int = 5, queue: str = QUEUE) -> list[Message]:
        """New messages."""
        return [message(f"{next(self._numbers):03}", queue) for _ in range(count)]

    async def stored(self, count: int = 5) -> list[str]:
        """Publish new messages past the proxy; their ids."""
        messages = self.some(count)
        await self.other.publish_many(messages)
        return [one.id for one in messages]


Story = Callable[[Stage], Awaitable[None]]
STORIES: dict[str, Story] = {}
"""For each kind of call one that makes it, and ends with an empty store."""


def story(call: str) -> Callable[[Story], Story]:
    def note(tell: Story) -> Story:
        STORIES[call] = tell
        return tell

    return note


@story("PUBLISH")
async def publish(stage: Stage) -> None:
    messages = stage.some()
    for one in messages[:3]:
        await stage.broker.publish(one)
    await stage.broker.publish_many(messages[3:])
    ids = [one.id for one in messages]

    assert stage.store.waiting() == Counter(ids)
    await SmallWorker(stage.other, QUEUE).drain(ids)


@story("UNIQUE")
async def publish_unique(stage: Stage) -> None:
    one, twin = stage.some(2)
    assert await stage.broker.publish_unique(one, "key") == one.id
    assert await stage.other.publish_unique(twin, "key") == one.id

    assert stage.store.waiting() == Counter([one.id])
    await SmallWorker(stage.other, QUEUE).drain([one.id])


@story("TICK")
async def publish_tick(stage: Stage) -> None:
    one = stage.some(1)[0]
    await stage.broker.publish_tick("job", 60.0, one)

    assert await stage.broker.last_tick(QUEUE, "job") == 60.0
    assert stage.store.waiting() == Counter([one.id])
    await SmallWorker(stage.other, QUEUE).drain([one.id])


@story("CLAIM")
async def claim_and_ack(stage: Stage) -> None:
    ids = await stage.stored(5)
    await stage.worker.drain(ids, limit=2)

    assert stage.worker.runs == Counter(ids)


@story("CLAIM_LIMITED")
async def claim_limited(stage: Stage) -> None:
    ids = await stage.stored(5)
    await stage.broker.set_limits(QUEUE, QueueLimits(concurrency=2))
    await stage.worker.drain(ids, limit=2)

    assert stage.worker.runs == Counter(ids)


@story("SETTLE")
async def settle_one_by_one(stage: Stage) -> None:
    ids = await stage.stored(4)
    acked, dropped, buried, retried = [await stage.worker.take() for _ in range(4)]
    retried.ctx["tries"] = 1
    letter = DeadLetter(buried.id, QUEUE, "rejected", 0.0, buried)
    await stage.worker.settle(lambda: stage.broker.nack(retried, delay=0.1))
    await stage.worker.settle(lambda: stage.broker.ack(acked))
    await stage.worker.settle(lambda: stage.broker.nack(dropped, drop=True))
    await stage.worker.settle(lambda: stage.broker.bury(buried, letter))

    assert (stage.store.waiting(), stage.store.held()) == (Counter([retried.id]), Counter())
    assert stage.store.dead() == 1
    stage.worker.runs.clear()
    await stage.worker.drain([retried.id])
    assert sorted(ids) == sorted([acked.id, dropped.id, buried.id, retried.id])


@story("RECOVER")
async def recover(stage: Stage) -> None:
    ids = await stage.stored(3)
    stage.proxy.plan("CLAIM", "after")
    await stage.worker.drain(ids)

    assert stage.worker.runs == Counter(ids)


@story("RECLAIM")
async def take_over(stage: Stage) -> None:
    messages = stage.some(3)
    stage.store.put_dead_worker("dead", *messages)
    ids = [one.id for one in messages]
    await asyncio.wait_for(stage.worker.drain(ids), TAKEOVER)

    assert stage.worker.runs == Counter(ids)


@story("REVIVE")
async def requeue_dead(stage: Stage) -> None:
    one, two = stage.some(2)
    for each in (one, two):
        await stage.other.publish(each)
        [held] = await stage.other.consume_many([QUEUE], 1)
        letter = DeadLetter(each.id, QUEUE, "failed", 0.0, each)
        await stage.other.bury(held, letter)
    await stage.broker.requeue_dead(QUEUE, [one.id])
    await stage.broker.delete_dead(QUEUE, [two.id])

    assert (stage.store.waiting(), stage.store.dead()) == (Counter([one.id]), 0)
    await stage.worker.drain([one.id])


@story("CLEAR")
async def clear(stage: Stage) -> None:
    await stage.stored(3)
    [unique] = stage.some(1)
    await stage.other.publish_unique(unique, "key", delay=3600)
    await stage.broker.clear(QUEUE)

    assert await stage.broker.size(QUEUE) == 0


@story("UNLIMIT")
async def lift_limits(stage: Stage) -> None:
    await stage.other.set_limits(QUEUE, QueueLimits(concurrency=1, concurrency_keyed=True))
    ids = await stage.stored(4)
    held = await stage.other.consume(QUEUE)
    await stage.broker.set_limits(QUEUE, QueueLimits())

    assert sorted(stage.store.waiting()) == ids[1:]
    await stage.other.ack(held)
    await stage.worker.drain(ids[1:])


@story("TOKEN")
async def token_handed_on(stage: Stage) -> None:
    waiting = asyncio.ensure_future(stage.broker.consume(QUEUE))
    await wait_until(lambda: stage.proxy.calls["BLPOP"], 5, "it waits for a token")
    waiting.cancel()
    await asyncio.wait({waiting})
    ids = await stage.stored(1)
    await wait_until(lambda: stage.proxy.met["TOKEN"], 5, "the token was handed on")

    await asyncio.wait_for(SmallWorker(stage.other, QUEUE).drain(ids), TAKEOVER)


@story("TURN")
async def turn_given_back(stage: Stage) -> None:
    for broker in (stage.broker, stage.other):
        await broker.set_limits(QUEUE, QueueLimits(Rate(0.3)))
    ids = await stage.stored(2)
    await stage.broker.ack(await stage.broker.consume(QUEUE))
    waiting = asyncio.ensure_future(stage.broker.consume(QUEUE))
    await wait_until(lambda: stage.store.blocked() == 1, 5, "it waits for its turn")
    waiting.cancel()
    await wait_until(lambda: stage.proxy.met["TURN"], 5, "the turn was given back")

    await asyncio.wait_for(SmallWorker(stage.other, QUEUE).drain(ids[1:]), TAKEOVER)


@story("BLPOP")
async def wait_for_a_token(stage: Stage) -> None:
    for _ in range(3):
        drain = asyncio.ensure_future(stage.worker.drain([f"{len(stage.worker.runs):03}"]))
        before = stage.proxy.calls["BLPOP"]
        await wait_until(lambda: stage.proxy.calls["BLPOP"] > before, 5, "it waits")
        await stage.stored(1)
        await asyncio.wait_for(drain, TAKEOVER)

    assert set(stage.worker.runs.values()) == {1}


@story("EXISTS")
async def sweep(stage: Stage) -> None:
    drain = asyncio.ensure_future(stage.worker.drain(["000"]))
    await wait_until(lambda: stage.proxy.calls["BLPOP"], 5, "it waits for a token")
    stage.store.put_raw(stage.some(1)[0].to_json())
    await asyncio.wait_for(drain, TAKEOVER)

    assert stage.worker.runs == Counter(["000"])


@story("ZCARD")
async def size(stage: Stage) -> None:
    ids = await stage.stored(3)
    assert await stage.broker.size(QUEUE) == 3
    await stage.worker.drain(ids)


@story("TIME")
async def time(stage: Stage) -> None:
    assert await stage.broker.time() > 0


def beats_cut_in_turn(proxy: FaultProxy) -> None:
    for cut in CUTS:
        proxy.plan("BEAT", cut)


def beats_sent_again(proxy: FaultProxy) -> None:
    for sends in range(2, 8):
        proxy.plan("BEAT", sends=sends)


@pytest.fixture
def stage(
    proxied_url: str,
    redis_url: str,
    store: RedisStore,
    proxy: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
) -> Stage:
    # What the sweeps make up for need not be waited for as long as in earnest.
    monkeypatch.setattr("ltq_redis.waiter.SWEEP", 0.5)
    return Stage(proxied_url, redis_url, store, proxy)


async def finish(stage: Stage) -> None:
    """Close both brokers, and see an empty store."""
    await stage.broker.close()
    await stage.other.close()

    assert (stage.store.waiting(), stage.store.held()) == (Counter(), Counter())
    assert stage.store.left_behind() == []


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("call", STORIES)
async def test_cut_connection_loses_nothing(stage: Stage, call: str, cut: str) -> None:
    stage.proxy.plan(call, cut)
    await STORIES[call](stage)

    assert stage.proxy.met[call] == 1
    await finish(stage)


@pytest.mark.parametrize("sends", range(2, 8))
@pytest.mark.parametrize("call", [call for call in STORIES if call in SCRIPTS])
async def test_script_that_is_sent_again_is_harmless(
    stage: Stage, call: str, sends: int
) -> None:
    stage.proxy.plan(call, sends=sends, count=100)
    await STORIES[call](stage)

    assert stage.proxy.met[call] >= 1
    await finish(stage)


@pytest.mark.parametrize("plan", [beats_cut_in_turn, beats_sent_again])
async def test_lease_outlives_faulty_beats(
    stage: Stage, plan: Callable[[FaultProxy], None]
) -> None:
    plan(stage.proxy)
    ids = await stage.stored(1)
    held = await stage.worker.take()
    thief = asyncio.ensure_future(stage.other.consume(QUEUE))
    await wait_until(lambda: stage.proxy.calls["BEAT"] >= 6, TAKEOVER, "six beats went by")

    assert not thief.done()
    assert stage.proxy.met["BEAT"] >= len(CUTS)
    thief.cancel()
    await stage.broker.ack(held)
    assert stage.worker.runs == Counter(ids)
    await finish(stage)
