"""A link over connections whose other side the test plays."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ltq_core import BrokerUnavailableError
from ltq_redis.link import Link
from ltq_redis.wire import Wire


class Peer(asyncio.Transport):
    """The other side: takes in requests, and answers when it is told to."""

    aborted = False

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire

    def write(self, data: object) -> None:
        """Take in a request."""

    def answer(self) -> None:
        """Send a reply."""
        reply = b"+PONG\r\n"
        self._wire.get_buffer(-1)[: len(reply)] = reply
        self._wire.buffer_updated(len(reply))

    def abort(self) -> None:
        """End as a connection does: its protocol hears of it a turn of the loop later."""
        self.aborted = True
        asyncio.get_running_loop().call_soon(self._wire.connection_lost, None)


async def test_failed_calls_leave_the_connection_alone_that_took_over() -> None:
    peers: list[Peer] = []

    async def connect() -> Wire:
        wire = Wire()
        peers.append(Peer(wire))
        wire.connection_made(peers[-1])
        return wire

    async def fail_then_call() -> Any:
        with pytest.raises(BrokerUnavailableError):
            await link.call("PING")
        return await link.call("PING")

    link = Link(connect, 0.02, "Redis")
    calling = asyncio.create_task(fail_then_call())
    with pytest.raises(BrokerUnavailableError):
        await link.call("PING", patience=60)
    peers[-1].answer()

    assert await calling == b"PONG"
    assert [peer.aborted for peer in peers] == [True, False]
