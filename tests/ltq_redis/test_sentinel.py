"""Three real sentinels, and a master that dies or hangs while messages flow."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from documented_rights import acl_commands
from ltq_core import BrokerUnavailableError
from ltq_core.testing import wait_until
from ltq_redis import RedisBroker
from redis_sentinels import SERVICE, Trio
from redis_server import NoServerError
from redis_store import QUEUE, RedisStore, message
from small_worker import SmallWorker, patiently

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def trio() -> Iterator[Trio]:
    trio = Trio()
    try:
        trio.start()
    except NoServerError as error:
        trio.remove()
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no Redis server: {error}")
    yield trio
    trio.remove()


async def test_master_is_found_with_few_rights_though_a_sentinel_hangs(trio: Trio) -> None:
    os.kill(trio.sentinels[0].pid, signal.SIGSTOP)
    with trio.master().client() as client:
        for command in acl_commands():
            client.execute_command(*command)
    broker = RedisBroker(trio.url.replace("//", "//ltq-worker:sesame@") + "?timeout=2")
    lost = RedisBroker(f"{trio.url}r?timeout=2")
    await broker.publish(message("a"))
    await SmallWorker(broker, QUEUE).drain(["a"])

    with pytest.raises(BrokerUnavailableError, match=f"knows no master '{SERVICE}r'"):
        await lost.size(QUEUE)
    await broker.close()
    await lost.close()


async def test_nothing_is_lost_when_the_master_dies(trio: Trio) -> None:
    await flow_over(trio, lambda: trio.master().kill())


async def test_nothing_is_lost_when_the_master_hangs(trio: Trio) -> None:
    await flow_over(trio, trio.freeze_master)


async def flow_over(trio: Trio, remove_master: Callable[[], None]) -> None:
    """Let messages flow while the master is replaced, and count them."""
    # Only what a replica has is promised to outlive its master: hence `wait`.
    url = f"{trio.url}?lease=3&wait=1&timeout=1"
    producer, consumer = RedisBroker(url), RedisBroker(url)
    ids = [f"{number:03}" for number in range(300)]
    worker = SmallWorker(consumer, QUEUE)

    async def send() -> None:
        for id_ in ids:
            await patiently(lambda id_=id_: producer.publish(message(id_)))

    sending = asyncio.ensure_future(send())
    async with worker.at_work():
        await wait_until(lambda: len(worker.runs) > 100, 20, "messages flow")
        await asyncio.to_thread(remove_master)
        await asyncio.wait_for(sending, 40)
        await wait_until(lambda: len(worker.runs) == len(ids), 20, "all were run")
        with trio.master().client() as client:
            store = RedisStore(client, "")
            # An ack that the replica had not seen yet is made up for by one more run.
            await wait_until(lambda: store.left_behind() == [], 20, "nothing is left behind")
    await producer.close()
    await consumer.close()
