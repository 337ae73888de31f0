"""The Redis protocol: replies put together from whatever pieces they come in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltq_redis.wire import Parser, ReplyError, Wire, pack

if TYPE_CHECKING:
    import redis

TEXT = st.text(st.characters(exclude_characters="\r\n"), max_size=20)
ERRORS = st.builds(ReplyError, TEXT)
REPLIES = st.recursive(
    st.none() | st.integers() | st.binary(max_size=40) | ERRORS,
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=20,
)


def written(reply: Any) -> bytes:
    """*reply* as a server writes it."""
    if reply is None:
        return b"$-1\r\n"
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if isinstance(reply, bytes):
        return b"$%d\r\n%b\r\n" % (len(reply), reply)
    if isinstance(reply, ReplyError):
        return b"-%b\r\n" % reply.text.encode(errors="replace")
    return b"*%d\r\n" % len(reply) + b"".join(map(written, reply))


def readable(reply: Any) -> Any:
    """*reply*, to be compared."""
    if isinstance(reply, ReplyError):
        return ("error", reply.text.encode(errors="replace").decode())
    return [readable(one) for one in reply] if isinstance(reply, list) else reply


@given(st.lists(REPLIES, min_size=1, max_size=4), st.data())
def test_replies_survive_any_cutting(replies: list[Any], data: st.DataObject) -> None:
    stream = b"".join(map(written, replies))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=8)))
    parser, found = Parser(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += parser.feed(stream[start:end])

    assert [readable(one) for one in found] == [readable(one) for one in replies]


@given(st.lists(REPLIES, min_size=1, max_size=3))
def test_replies_survive_coming_byte_by_byte(replies: list[Any]) -> None:
    stream = b"".join(map(written, replies))
    parser, found = Parser(), []
    for at in range(len(stream)):
        found += parser.feed(stream[at : at + 1])

    assert [readable(one) for one in found] == [readable(one) for one in replies]


@pytest.mark.parametrize("noise", [b"HTTP/1.1 400 Bad Request\r\n", b":one\r\n", b"$x\r\n"])
def test_what_is_no_reply_is_an_error(noise: bytes) -> None:
    with pytest.raises(ValueError):
        Parser().feed(noise)


def test_command_is_written_as_bulk_strings() -> None:
    assert pack(("SET", b"k\0", 12, 0.5)) == (
        b"*4\r\n$3\r\nSET\r\n$2\r\nk\0\r\n$2\r\n12\r\n$3\r\n0.5\r\n"
    )


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
