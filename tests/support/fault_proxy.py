"""A proxy before a real Redis that cuts, repeats and counts the calls of a broker."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ltq_redis import scripts

if TYPE_CHECKING:
    import ssl
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncIterator, Coroutine, Iterator

T = TypeVar("T")

SCRIPTS = {
    name: script for name, script in vars(scripts).items() if isinstance(script, scripts.Script)
}
"""The broker's scripts, by the names that calls of them have here."""

CUTS = ("before", "within", "after", "reply")
"""Where a connection can be cut: before the server sees the request, in the middle of it,
after it was executed and before its reply, in the middle of the reply."""

LATE = 0.5

_KNOWN = {script.sha.encode(): name for name, script in SCRIPTS.items()} | {
    script.text.encode(): name for name, script in SCRIPTS.items()
}


@dataclass
class Fault:
    """What happens to the next *count* calls of one kind.

    Attributes:
        call: A script's name, or a command's.
        cut: One of `CUTS`, "late" to execute the call `LATE` seconds after its connection
            was cut, or "" to let the reply through.
        sends: How often the request reaches the server; the last reply counts.
        count: How many calls are still to be met.
    """

    call: str
    cut: str
    sends: int
    count: int


class FaultProxy:
    """Hands everything on to a server, but for the faults that were planned.

    It runs in a thread of its own and may be called from any.

    Args:
        target: The server's port.
        tls: What to speak with clients; None for plain text.

    Attributes:
        port: Where it listens.
        calls: How many calls of each kind came by.
        met: How many of each kind met a fault.
    """

    def __init__(self, target: int, tls: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self.calls: Counter[str] = Counter()
        self.met: Counter[str] = Counter()
        self._target = target
        self._tls = tls
        self._faults: list[Fault] = []
        self._away = False
        self._wires: set[StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> FaultProxy:
        """Begin to listen."""
        self._thread.start()
        start = asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self._server = self._run(start)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def stop(self) -> None:
        """Cut every connection and stop listening."""
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def plan(self, call: str, cut: str = "", *, sends: int = 1, count: int = 1) -> None:
        """Let the next *count* calls of a kind meet a fault."""
        self._faults.append(Fault(call, cut, sends, count))

    @contextmanager
    def away(self) -> Iterator[None]:
        """Cut every connection, and each new one at once, until this is left."""
        self._away = True
        self.cut_all()
        try:
            yield
        finally:
            self._away = False

    def cut_all(self) -> None:
        """Cut every connection that is open."""
        self._loop.call_soon_threadsafe(self._abort_all)

    def _run(self, call: Coroutine[object, object, T]) -> T:
        return asyncio.run_coroutine_threadsafe(call, self._loop).result(10)

    async def _close(self) -> None:
        self._away = True  # for those that are accepted by now, or shake hands
        self._abort_all()
        while served := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(served)
        # Last: asyncio loses the socket of a client that it accepts for a closed server.
        self._server.close()

    def _abort_all(self) -> None:
        for wire in self._wires:
            wire.transport.abort()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        if self._away:
            writer.transport.abort()
            return
        self._wires.add(writer)
        try:
            answers, server = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            self._wires.remove(writer)
            return
        ends = {writer, server}
        self._wires |= ends
        requests: asyncio.Queue[tuple[str, bytes] | None] = asyncio.Queue()
        listening = asyncio.ensure_future(_listen(reader, requests, server))
        try:
            while (request := await requests.get()) is not None:
                if not await self._exchange(*request, answers, server, writer):
                    break
        except (OSError, asyncio.IncompleteReadError):
            pass  # one of the two sides is gone: so is the other one, below
        finally:
            for end in ends:
                end.transport.abort()
            self._wires -= ends
            await asyncio.wait({listening})

    async def _exchange(
        self,
        call: str,
        request: bytes,
        answers: StreamReader,
        server: StreamWriter,
        client: StreamWriter,
    ) -> bool:
        """Pass one call on; whether the connection lives on."""
        fault = self._fault(call)
        if fault.cut == "before":
            return False
        if fault.cut == "late":
            client.transport.abort()
            await asyncio.sleep(LATE)
            async with self._to_server() as (answers, server):
                await self._send(request, answers, server)
            return False
        if fault.cut == "within":
            server.write(request[: len(request) // 2])
            await server.drain()
            return False
        for _ in range(fault.sends):
            reply = await self._send(request, answers, server)
        if fault.cut == "after":
            return False
        client.write(reply[: len(reply) // 2] if fault.cut else reply)
        await client.drain()
        return not fault.cut

    @asynccontextmanager
    async def _to_server(self) -> AsyncIterator[tuple[StreamReader, StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    @staticmethod
    async def _send(request: bytes, answers: StreamReader, server: StreamWriter) -> bytes:
        server.write(request)
        return await _read(answers)

    def _fault(self, call: str) -> Fault:
        self.calls[call] += 1
        for fault in self._faults:
            if fault.call == call and fault.count > 0:
                fault.count -= 1
                self.met[call] += 1
                return fault
        return Fault(call, "", 1, 0)


async def _listen(
    reader: StreamReader,
    requests: asyncio.Queue[tuple[str, bytes] | None],
    server: StreamWriter,
) -> None:
    """Take requests in, also while one is being served: its client may leave meanwhile."""
    try:
        while True:
            requests.put_nowait(await _read_request(reader))
    except (OSError, asyncio.IncompleteReadError):
        server.transport.abort()
        requests.put_nowait(None)


async def _read_request(reader: StreamReader) -> tuple[str, bytes]:
    """The next request: the kind of call, and its bytes."""
    head = await reader.readuntil(b"\r\n")
    raws = [await _read(reader) for _ in range(int(head[1:]))]
    words = [raw[raw.index(b"\n") + 1 : -2] for raw in raws[:2]]
    name = words[0].upper().decode()
    if name in ("EVAL", "EVALSHA"):
        name = _KNOWN[words[1]]
    return name, head + b"".join(raws)


async def _read(reader: StreamReader) -> bytes:
    """The bytes of the next value of the Redis protocol."""
    line = await reader.readuntil(b"\r\n")
    if line[:1] == b"$" and int(line[1:]) >= 0:
        return line + await reader.readexactly(int(line[1:]) + 2)
    if line[:1] == b"*":
        return line + b"".join([await _read(reader) for _ in range(int(line[1:]))])
    return line
