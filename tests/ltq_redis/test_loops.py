"""One broker in several event loops, threads and processes."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import threading
import warnings
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from ltq_core.testing import wait_until
from ltq_redis import RedisBroker
from redis_store import QUEUE, RedisStore, message
from small_worker import SmallWorker

if TYPE_CHECKING:
    from collections.abc import Callable

IDS = [f"{number:03}" for number in range(200)]


def in_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_one_broker_serves_several_loops_at_once(redis_url: str) -> None:
    broker = RedisBroker(redis_url)

    async def produce(ids: list[str]) -> None:
        await asyncio.gather(*(broker.publish(message(id_)) for id_ in ids))

    async def consume() -> None:
        worker = SmallWorker(broker, QUEUE)
        workers.append(worker)
        async with worker.at_work():
            await wait_until(all_were_run, 20, "all were run")

    def all_were_run() -> bool:
        return sum(worker.runs.total() for worker in workers) >= len(IDS)

    workers: list[SmallWorker] = []
    consumers = [in_thread(lambda: asyncio.run(consume())) for _ in range(2)]
    producers = [
        in_thread(lambda part=IDS[start::4]: asyncio.run(produce(part))) for start in range(4)
    ]
    for thread in producers + consumers:
        thread.join(30)
    asyncio.run(broker.close())

    assert sum((worker.runs for worker in workers), Counter()) == Counter(IDS)


def test_broker_closes_in_a_loop_that_is_ending(redis_url: str, store: RedisStore) -> None:
    async def main() -> None:
        broker = RedisBroker(redis_url)
        await broker.publish(message("a"))
        await broker.consume(QUEUE)
        await asyncio.get_running_loop().shutdown_default_executor()
        await broker.close()

    asyncio.run(main())

    assert store.waiting() == Counter(["a"])
    store.client.delete(store.keys().queue, store.keys().wake)


def test_message_may_be_settled_in_another_loop(redis_url: str, store: RedisStore) -> None:
    broker = RedisBroker(redis_url)

    async def publish_and_hold() -> None:
        await broker.publish_many([message("a"), message("b")])
        held = [await broker.consume(QUEUE), await broker.consume(QUEUE)]

        async def settle() -> None:
            await broker.ack(held[0])
            await broker.nack(held[1], drop=True)

        await asyncio.to_thread(lambda: asyncio.run(settle()))
        await broker.close()

    asyncio.run(publish_and_hold())

    assert store.left_behind() == []


def test_loop_after_loop_leaves_no_warning(redis_url: str) -> None:
    broker = RedisBroker(redis_url)

    async def work(id_: str) -> None:
        await broker.publish(message(id_))
        await broker.ack(await broker.consume(QUEUE))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for id_ in IDS[:3]:
            asyncio.run(work(id_))
        asyncio.run(broker.close())
        gc.collect()


def beating() -> bool:
    """Whether a lease thread lives."""
    return any(thread.name == "ltq-lease" for thread in threading.enumerate())


async def lease_with(broker: RedisBroker) -> None:
    await broker.publish(message("a"))
    await broker.consume(QUEUE)


def test_broker_dropped_amid_work_lets_go_of_everything(redis_url: str) -> None:
    async def work() -> None:
        await lease_with(RedisBroker(redis_url))
        gc.collect()
        await wait_until(lambda: not beating(), 5, "the lease thread ends")
        other = RedisBroker(redis_url)
        await SmallWorker(other, QUEUE).drain(["a"])
        await other.close()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(work())
        gc.collect()


def test_broker_dropped_after_its_loop_lets_go_of_everything(redis_url: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(lease_with(RedisBroker(redis_url)))
        gc.collect()
        wait_until(lambda: not beating(), 5, "the lease thread ends")

    other = RedisBroker(redis_url)
    asyncio.run(SmallWorker(other, QUEUE).drain(["a"]))
    asyncio.run(other.close())


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # 3.12: fork and threads
def test_process_forked_amid_work_has_connections_of_its_own(
    redis_url: str, store: RedisStore
) -> None:
    broker = RedisBroker(redis_url)

    def work_there() -> None:
        async def work() -> None:
            await broker.publish(message("child"))
            await broker.close()

        asyncio.run(work())

    async def work_here() -> None:
        await broker.publish(message("before"))
        before = await broker.consume(QUEUE)
        child = multiprocessing.get_context("fork").Process(target=work_there)
        child.start()
        await asyncio.to_thread(child.join, 10)
        child.kill()
        assert child.exitcode == 0
        await broker.ack(before)
        await SmallWorker(broker, QUEUE).drain(["child"])
        await broker.close()

    asyncio.run(work_here())

    assert store.left_behind() == []
