"""Hostile bytes, and secrets that must not be shown."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from ltq_core import BrokerUnavailableError, EncodeError, Worker
from ltq_redis import RedisBroker
from redis_store import QUEUE, RedisStore, message
from small_worker import SmallWorker

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20


def wire(**fields: object) -> bytes:
    """A message with some fields replaced."""
    whole = {"id": "x", "task_name": QUEUE, "args": [], "kwargs": {}, "ctx": {}}
    return json.dumps({**whole, **fields}).encode()


BOMBS = {
    "nothing": b"",
    "noise": bytes(range(256)),
    "zero bytes": b"\0\0p1\0\0",
    "half a message": wire()[:-10],
    "no object": b"[1, 2]",
    "deeply nested": b"[" * 100_000,
    "deeply nested arguments": wire(args=[]).replace(b"[]", b"[" * 50_000 + b"]" * 50_000),
    "a huge integer": wire(args=[]).replace(b"[]", b"[" + b"9" * 100_000 + b"]"),
    "a large text": b'"' + b"x" * MIB + b'"',
    "a large text that does not end": b'{"id": "' + b"x" * MIB,
    "another queue's name": wire(task_name="mail:other"),
    "a name that moves the cursor": wire(task_name="\x1b[2J\r\nmail"),
    "arguments of a wrong type": wire(args={"a": 1}),
    "a context of a wrong type": wire(ctx=[1]),
    "a count that is none": wire(ctx={"tries": "many"}),
    "an id of a wrong type": wire(id=7),
    "no name": b'{"id": "x"}',
    "invalid UTF-8": wire().replace(b'"x"', b'"\xff\xfe"'),
}


@pytest.fixture
def broker(redis_url: str) -> Iterator[RedisBroker]:
    broker = RedisBroker(redis_url)
    yield broker
    asyncio.run(broker.close())


@pytest.mark.parametrize("bomb", BOMBS)
async def test_bytes_that_are_no_message_become_a_bounded_dead_letter(
    broker: RedisBroker, store: RedisStore, caplog: pytest.LogCaptureFixture, bomb: str
) -> None:
    store.put_raw(BOMBS[bomb])
    await broker.publish(message("good"))
    with caplog.at_level(logging.WARNING):
        worker = SmallWorker(broker, QUEUE)
        await worker.drain(["good"])
    [letter] = await broker.dead_letters(QUEUE)
    [record] = caplog.records

    assert (letter.reason, letter.message) == ("undecodable", None)
    assert len(letter.to_json()) < 20_000
    assert record.getMessage().isprintable()
    assert len(record.getMessage()) < 2_000
    assert await broker.requeue_dead(QUEUE, [letter.id]) == 0
    assert await broker.delete_dead(QUEUE, [letter.id]) == 1
    await broker.close()


@pytest.mark.parametrize(
    "ctx",
    [
        {"unique": ["a"]},
        {"unique": {"a": None}},
        {"unique": "k\0 \n{}"},
        {"unique": "x" * 10_000},
        {"rate_key": 7, "concurrency_key": [1]},
    ],
)
async def test_odd_context_hinders_nothing(
    broker: RedisBroker, store: RedisStore, ctx: dict[str, Any]
) -> None:
    store.put_raw(wire(ctx=ctx))
    held = await broker.consume(QUEUE)
    await broker.nack(held, delay=0.01)
    await SmallWorker(broker, QUEUE).drain(["x"])
    store.put_raw(wire(ctx=ctx))
    await broker.clear(QUEUE)

    assert store.left_behind() == []
    await broker.close()


async def test_foreign_members_among_dead_letters_are_passed_over(
    broker: RedisBroker, store: RedisStore
) -> None:
    store.client.zadd(store.keys().dead, {b"\xff{": 1, b"{}": 2, wire(): 3})

    assert await broker.dead_letters(QUEUE) == []
    assert await broker.requeue_dead(QUEUE, ["x"]) == 0
    store.client.delete(store.keys().dead)
    await broker.close()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {1, 2}, object()])
async def test_argument_that_cannot_come_back_is_refused_at_send(
    redis_url: str, store: RedisStore, value: object
) -> None:
    worker = Worker("mail", redis_url)

    @worker.task
    async def send(argument: Any) -> None:
        """Never run."""

    with pytest.raises(EncodeError):
        await send.send(value)

    assert store.left_behind() == []
    await worker.broker.close()


async def test_no_log_error_or_repr_shows_a_password(caplog: pytest.LogCaptureFixture) -> None:
    url = "redis://someone:s3cret@127.0.0.1:1/0?timeout=0.2&sentinel_password=s3cret"
    broker = RedisBroker(url)
    with caplog.at_level(logging.DEBUG), pytest.raises(BrokerUnavailableError) as caught:
        await broker.size(QUEUE)
    consuming = asyncio.ensure_future(broker.consume(QUEUE))
    await asyncio.wait({consuming})
    with pytest.raises(BrokerUnavailableError):
        await broker.close()
    shown = [repr(broker), repr(broker._settings), caplog.text, repr(consuming.exception())]
    error: BaseException | None = caught.value
    while error is not None:
        shown.append(repr(error))
        error = error.__cause__ or error.__context__

    assert "s3cret" not in "".join(shown)
    assert "someone:***@127.0.0.1:1" in repr(broker)
