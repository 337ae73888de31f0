"""The Redis protocol on one connection: requests go out at once, replies come in order.

LTQ speaks RESP2 itself. A general client costs a worker more time than Redis does, and
its version would have to suit whatever else a program uses Redis for.
Source: the Redis serialization protocol specification, version 2.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Any, cast

Arg = bytes | str | int | float

# Bytes that one read takes in. A plain asyncio.Protocol has 256 KiB set aside for each read,
# which takes the kernel longer than the read itself.
ROOM = 65536


class ReplyError:
    """A reply that says what the server refused.

    Attributes:
        text: The server's words.
        code: The first of them, such as ``READONLY``.
    """

    __slots__ = ("code", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.code = text.partition(" ")[0]


def pack(args: tuple[Arg, ...]) -> bytes:
    """A command and its arguments, as they go over the wire."""
    parts = [b"*%d\r\n" % len(args)]
    for arg in args:
        data = arg if isinstance(arg, bytes) else str(arg).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


class _IncompleteError(Exception):
    """The reply goes on beyond what has come in so far."""


class Parser:
    """Cuts incoming bytes into replies."""

    def __init__(self) -> None:
        self._buffer = b""
        self._needed = 0

    def feed(self, data: bytes) -> list[Any]:
        """The replies that are complete with *data*.

        Raises:
            ValueError: These bytes are no replies; nothing can follow.
        """
        self._buffer = buffer = self._buffer + data if self._buffer else data
        replies = []
        at = 0
        # A long reply is looked at again only when the part that was missing is there.
        while at < len(buffer) >= self._needed:
            try:
                reply, at = self._read(buffer, at)
            except _IncompleteError:
                self._needed -= at
                break
            self._needed = 0
            replies.append(reply)
        self._buffer = buffer[at:]
        return replies

    def _read(self, buffer: bytes, at: int) -> tuple[Any, int]:
        end = buffer.find(b"\r\n", at)
        if end < 0:
            self._needed = len(buffer) + 1
            raise _IncompleteError
        kind, line, after = buffer[at], buffer[at + 1 : end], end + 2
        if kind == 0x24:  # $
            return self._bulk(buffer, int(line), after)
        if kind == 0x3A:  # :
            return int(line), after
        if kind == 0x2A:  # *
            return self._array(buffer, int(line), after)
        if kind == 0x2B:  # +
            return line, after
        if kind == 0x2D:  # -
            return ReplyError(line.decode(errors="replace")), after
        raise ValueError(f"a reply cannot begin with {bytes([kind])!r}")

    def _bulk(self, buffer: bytes, length: int, at: int) -> tuple[bytes | None, int]:
        if length < 0:
            return None, at
        end = at + length
        if len(buffer) < end + 2:
            self._needed = end + 2
            raise _IncompleteError
        return buffer[at:end], end + 2

    def _array(self, buffer: bytes, length: int, at: int) -> tuple[list[Any] | None, int]:
        if length < 0:
            return None, at
        items = []
        for _ in range(length):
            item, at = self._read(buffer, at)
            items.append(item)
        return items, at


class Wire(asyncio.BufferedProtocol):
    """An open connection.

    A caller that is cancelled loses its reply and no more: the next reply still meets
    the next request.
    """

    def __init__(self) -> None:
        self.closed = False
        self._loop = asyncio.get_running_loop()
        self._parser = Parser()
        self._incoming = memoryview(bytearray(ROOM))
        self._pending: deque[asyncio.Future[Any]] = deque()
        self._transport: asyncio.Transport | None = None
        self._lost: asyncio.Future[None] = self._loop.create_future()

    def request(self, *args: Arg) -> asyncio.Future[Any]:
        """Send a command now; its reply, a `ReplyError` among them, comes later.

        Raises:
            ConnectionError: The connection is closed.
        """
        if self.closed or self._transport is None:
            raise ConnectionResetError("the connection is closed")
        data = pack(args)  # first: where that fails nobody may wait for a reply
        reply = self._loop.create_future()
        self._pending.append(reply)
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
        try:
            replies = self._parser.feed(bytes(self._incoming[:nbytes]))
        except ValueError:
            self.drop()
            return
        for reply in replies:
            if not self._pending:
                self.drop()  # nobody asked: the two sides are out of step
                return
            future = self._pending.popleft()
            if not future.done():
                future.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self.closed = True
        for future in self._pending:
            if not future.done():
                future.set_exception(
                    ConnectionResetError(str(exc or "the connection was closed"))
                )
        self._pending.clear()
        if not self._lost.done() and not self._loop.is_closed():
            self._lost.set_result(None)


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
