"""The Redis protocol on one connection: requests go out at once, replies come in order.

hiredis writes and reads the protocol. A general client costs a worker more time than Redis
does, and its version would have to suit whatever else a program uses Redis for.
Source: the Redis serialization protocol specification, version 2.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from contextlib import suppress
from typing import Any, cast

import hiredis

Arg = bytes | str | int | float

# Bytes that one read takes in. A plain asyncio.Protocol has 256 KiB set aside for each read,
# which takes the kernel longer than the read itself.
ROOM = 65536


class ReplyError(Exception):
    """A reply that says what the server refused; returned like any other.

    Attributes:
        text: The server's words.
        code: The first of them, such as ``READONLY``.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text
        self.code = text.partition(" ")[0]


_INCOMPLETE = object()


class Wire(asyncio.BufferedProtocol):
    """An open connection.

    A caller that is cancelled loses its reply and no more: the next reply still meets
    the next request.

    One timer watches all replies that are due: a timeout of its own for each call takes
    the caller more time than writing the call does.
    """

    def __init__(self) -> None:
        self.closed = False
        self._loop = asyncio.get_running_loop()
        self._replies = hiredis.Reader(replyError=ReplyError, notEnoughData=_INCOMPLETE)
        self._incoming = memoryview(bytearray(ROOM))
        self._pending: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._watch: asyncio.TimerHandle | None = None
        self._watched = math.inf
        self._transport: asyncio.Transport | None = None
        self._lost: asyncio.Future[None] = self._loop.create_future()

    def request(self, *args: Arg, deadline: float = math.inf) -> asyncio.Future[Any]:
        """Send a command now; its reply, a `ReplyError` among them, comes later.

        Where it has not come at *deadline*, on the loop's clock, the future raises
        TimeoutError, and the connection is closed.

        Raises:
            ConnectionError: The connection is closed.
        """
        if self.closed or self._transport is None:
            raise ConnectionResetError("the connection is closed")
        # First: where that fails nobody may wait for a reply. Its stub takes one argument only.
        data = hiredis.pack_command(cast("Any", args))
        reply = self._loop.create_future()
        self._pending.append((reply, deadline))
        if deadline < self._watched:
            self._watch_until(deadline)
        self._transport.write(data)
        return reply

    def tell(self, *args: Arg) -> None:
        """Send a command whose reply does not matter.

        Raises:
            ConnectionError: The connection is closed.
        """
        self.request(*args).add_done_callback(_ignore)

    async def close(self) -> None:
        """Close the connection and wait until it is closed."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()
            await self._lost

    def drop(self) -> None:
        """Close the connection without waiting, from anywhere, its loop closed or not."""
        self.closed = True
        if self._transport is None:
            return
        try:
            self._transport.abort()
        except RuntimeError:
            if not self._lost.done():
                _close_without_loop(self._transport)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        # uvloop's transports are no subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        if self.closed:  # it was dropped before it was open
            self.drop()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Called by the loop."""
        return self._incoming

    def buffer_updated(self, nbytes: int) -> None:
        """Called by the loop."""
        self._replies.feed(bytes(self._incoming[:nbytes]))
        try:
            while (reply := self._replies.gets()) is not _INCOMPLETE:
                if not self._pending:
                    self.drop()  # nobody asked: the two sides are out of step
                    return
                future, _ = self._pending.popleft()
                if not future.done():
                    future.set_result(reply)
        except hiredis.ProtocolError:
            self.drop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self.closed = True
        if self._watch is not None:
            self._watch.cancel()
        for future, _ in self._pending:
            if not future.done():
                future.set_exception(
                    ConnectionResetError(str(exc or "the connection was closed"))
                )
        self._pending.clear()
        if not self._lost.done() and not self._loop.is_closed():
            self._lost.set_result(None)

    def _watch_until(self, deadline: float) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._watched = deadline
        self._watch = self._loop.call_at(deadline, self._look)

    def _look(self) -> None:
        """Close the connection if a reply is overdue; or look again when the next is."""
        self._watch, self._watched = None, math.inf
        due = min((deadline for _, deadline in self._pending), default=math.inf)
        if due > self._loop.time():
            if due < math.inf:
                self._watch_until(due)
            return
        for future, deadline in self._pending:
            if deadline <= due and not future.done():
                future.set_exception(TimeoutError())
        self.drop()


def _close_without_loop(transport: Any) -> None:
    # The loop is closed, so that nothing scheduled in it will ever run: what asyncio's
    # transport would schedule is called here, below TLS where there is TLS. uvloop's is
    # closed together with its loop.
    encrypted = getattr(transport, "_ssl_protocol", None)
    below = transport if encrypted is None else encrypted._transport
    finish = getattr(below, "_call_connection_lost", None)
    if finish is not None:
        with suppress(RuntimeError):  # the TLS protocol tells its own through the loop
            finish(None)


def _ignore(reply: asyncio.Future[Any]) -> None:
    if not reply.cancelled():
        reply.exception()  # retrieved, or asyncio would log that nobody did
