"""The Redis protocol: replies put together from whatever pieces they come in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from ltq_redis.wire import Wire

if TYPE_CHECKING:
    import redis

WRITTEN = {
    b"$-1\r\n": None,
    b":-7\r\n": -7,
    b"$4\r\n\r\n\0\xff\r\n": b"\r\n\0\xff",
    b"*3\r\n:1\r\n*0\r\n$0\r\n\r\n": [1, [], b""],
    b"+OK\r\n": b"OK",
}
"""Replies as a server writes them."""


class Sink(asyncio.Transport):
    """Where a wire writes to that has no server."""

    aborted = False

    def write(self, data: object) -> None:
        """Forget it."""

    def abort(self) -> None:
        """Note that the wire gave up."""
        self.aborted = True


def feed(wire: Wire, data: bytes) -> None:
    """Let *data* come in at once."""
    wire.get_buffer(-1)[: len(data)] = data
    wire.buffer_updated(len(data))


async def cut(size: int) -> list[Any]:
    """All of `WRITTEN`, received *size* bytes at a time."""
    wire, stream = Wire(), b"".join(WRITTEN)
    wire.connection_made(Sink())
    calls = [wire.request("PING") for _ in WRITTEN]
    for start in range(0, len(stream), size):
        feed(wire, stream[start : start + size])
    return await asyncio.wait_for(asyncio.gather(*calls), 5)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
async def test_replies_survive_any_cutting(size: int) -> None:
    assert await cut(size) == list(WRITTEN.values())


async def test_error_is_a_reply_like_any_other() -> None:
    wire = Wire()
    wire.connection_made(Sink())
    first, second = wire.request("GET", "k"), wire.request("EXEC")
    feed(wire, b"-WRONGTYPE no \xff string\r\n*1\r\n-ERR inside\r\n")
    error, [inside] = await first, await second

    assert (error.code, error.text) == ("WRONGTYPE", "WRONGTYPE no \ufffd string")
    assert (inside.code, inside.text) == ("ERR", "ERR inside")


@pytest.mark.parametrize("noise", [b"HTTP/1.1 400 Bad Request\r\n", b":one\r\n", b"$x\r\n"])
async def test_what_is_no_reply_ends_the_connection(noise: bytes) -> None:
    wire, sink = Wire(), Sink()
    wire.connection_made(sink)
    call = wire.request("PING")
    feed(wire, noise)
    wire.connection_lost(None)

    assert sink.aborted
    with pytest.raises(ConnectionError):
        await call


async def opened(client: redis.Redis) -> Wire:
    where = client.connection_pool.connection_kwargs
    loop = asyncio.get_running_loop()
    _, wire = await loop.create_connection(Wire, where["host"], where["port"])
    return wire


async def test_calls_overlap_and_keep_their_replies(redis_client: redis.Redis) -> None:
    wire = await opened(redis_client)
    calls = [wire.request("ECHO", f"{number}") for number in range(100)]
    replies = await asyncio.gather(*calls)
    await wire.close()

    assert replies == [b"%d" % number for number in range(100)]


async def test_cancelled_call_takes_nobody_elses_reply(redis_client: redis.Redis) -> None:
    wire = await opened(redis_client)
    first, second = wire.request("ECHO", "first"), wire.request("ECHO", "second")
    first.cancel()

    assert await second == b"second"
    await wire.close()


async def test_argument_that_cannot_be_sent_breaks_no_other_call(
    redis_client: redis.Redis,
) -> None:
    wire = await opened(redis_client)
    with pytest.raises(UnicodeEncodeError):
        wire.request("ECHO", "\ud800")

    assert await asyncio.wait_for(wire.request("ECHO", "next"), 5) == b"next"
    await wire.close()


async def test_large_reply_arrives_whole(redis_client: redis.Redis) -> None:
    wire = await opened(redis_client)
    large = bytes(range(256)) * 100_000
    reply = await wire.request("ECHO", large)
    await wire.close()

    assert reply == large


@pytest.mark.parametrize("order", [(0.02, 60), (60, 0.02)])
async def test_overdue_reply_ends_the_connection_for_all(order: tuple[float, float]) -> None:
    wire, sink, now = Wire(), Sink(), asyncio.get_running_loop().time()
    wire.connection_made(sink)
    calls = {wait: wire.request("PING", deadline=now + wait) for wait in order}
    with pytest.raises(TimeoutError):
        await calls[0.02]

    assert sink.aborted
    wire.connection_lost(None)
    with pytest.raises(ConnectionError):
        await calls[60]


async def test_next_deadline_is_kept_after_a_reply_came_in_time() -> None:
    wire, sink, now = Wire(), Sink(), asyncio.get_running_loop().time()
    wire.connection_made(sink)
    first = wire.request("PING", deadline=now + 0.01)
    second = wire.request("PING", deadline=now + 0.02)
    feed(wire, b"+PONG\r\n")
    with pytest.raises(TimeoutError):
        await second

    assert await first == b"PONG"
    assert sink.aborted


async def test_open_calls_fail_when_the_connection_ends(redis_client: redis.Redis) -> None:
    wire = await opened(redis_client)
    waiting = wire.request("BLPOP", "no-such-key", 5)
    wire.drop()
    with pytest.raises(ConnectionError):
        await waiting

    with pytest.raises(ConnectionError):
        wire.request("PING")


async def test_connection_that_talks_out_of_turn_is_closed() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"+HELLO\r\n")
        await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_connection(Wire, "127.0.0.1", port)
        waiting: asyncio.Future[Any] = wire._lost
        await asyncio.wait_for(waiting, 5)

    assert wire.closed
