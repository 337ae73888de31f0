"""`Link`: a connection that opens itself, with errors in LTQ's terms."""

from __future__ import annotations

import asyncio
import random
import re
from typing import TYPE_CHECKING, Any, TypeVar

from ltq_core import BrokerError, BrokerUnavailableError
from ltq_redis.wire import Arg, ReplyError, Wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ltq_redis.scripts import Script

T = TypeVar("T")

# Its own, since the lease thread calls too: see `ltq_core.lifeline`.
_random = random.Random()

# Errors of a server that will answer differently in a moment.
TRANSIENT = frozenset(
    "READONLY LOADING MASTERDOWN CLUSTERDOWN TRYAGAIN BUSY NOREPLICAS UNBLOCKED OOM MOVED ASK "
    "MISCONF NOTREADY".split()
)
_CODE = re.compile(r"\b[A-Z]{3,}\b")
_PASSWORD = "Give the URL a password, as in redis://:password@host."
_RIGHTS = "Grant the user the rights that docs/redis.md lists."
# What a reply holds that tells of a mistake in the URL or in the server's settings.
ADVICE = {
    "NOAUTH": _PASSWORD,
    "unauthenticated": _PASSWORD,  # of a long command Redis reads no more than the length
    "NOPERM": _RIGHTS,
    "can't run this command": _RIGHTS,  # said of what a script calls
    "CROSSSLOT": "Reach a cluster by redis+cluster://host, or ?cluster=1.",
    "MOVED": "A URL that begins with redis+cluster:// follows it there.",
}
# After these the server behind the address is the wrong one, or is changing its role.
RECONNECT = frozenset("READONLY MASTERDOWN CLUSTERDOWN UNBLOCKED MOVED ASK LOADING".split())


class ClosedError(BrokerUnavailableError):
    """The broker was closed meanwhile: there is nothing to wait for."""


class Link:
    """A connection that is opened when it is needed and again when it broke.

    Nothing is ever sent twice: whoever calls knows whether that is safe. Calls may
    overlap; they are executed in the order in which they were made.

    Args:
        connect: Opens a connection to the right server, handshake included.
        timeout: Seconds for a reply, and for a connection to be opened.
        server: What the messages of errors call the other side.

    Attributes:
        opened: How many connections were opened so far.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[Wire]], timeout: float, server: str
    ) -> None:
        self._connect = connect
        self._timeout = timeout
        self._server = server
        self._wire: Wire | None = None
        self.opened = 0
        self._ended = False
        self._taught: set[str] = set()
        self._opening = asyncio.Lock()

    async def call(self, *args: Arg, patience: float = 0) -> Any:
        """Send a command and wait for its reply, *patience* seconds longer than usual.

        On an open connection the command is sent before anything is waited for.

        Raises:
            BrokerUnavailableError: No reply, or one that says to try again later.
                Whether the command was executed is unknown.
            BrokerError: The server refused the command.

        Cancellation:
            The command may be executed; its reply is lost.
        """
        reply = await self._exchange(args, self._timeout + patience)
        if isinstance(reply, ReplyError):
            raise self._refused(reply)
        return reply

    async def run(self, script: Script, keys: list[str], args: list[Any]) -> Any:
        """Run *script*; its text travels once a connection, and again if it was flushed.

        Raises:
            BrokerUnavailableError: As in `call`.
            BrokerError: As in `call`.

        Cancellation:
            As in `call`.
        """
        rest = (len(keys), *keys, *args)
        reply = await self._exchange(("EVALSHA", script.sha, *rest), self._timeout, script)
        if isinstance(reply, ReplyError):
            if reply.code != "NOSCRIPT":
                raise self._refused(reply)
            return await self.call("EVAL", script.text, *rest)
        return reply

    async def close(self) -> None:
        """Close the connection; the next call opens one again."""
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.close()

    async def end(self) -> None:
        """Close the connection for good: whoever still calls is refused."""
        self._ended = True
        await self.close()

    def drop(self) -> None:
        """Close the connection at once, from anywhere, its loop closed or not."""
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.drop()

    async def _exchange(
        self, args: tuple[Arg, ...], timeout: float, script: Script | None = None
    ) -> Any:
        if self._ended:
            raise ClosedError("The broker was closed.")
        deadline = asyncio.get_running_loop().time() + timeout
        try:
            wire = self._wire
            if wire is None or wire.closed:
                async with asyncio.timeout_at(deadline):
                    wire = await self._open()
            if script is not None and script.sha not in self._taught:
                # Right before its first call: one that is answered with NOSCRIPT and
                # sent again would come after those that were made meanwhile.
                self._taught.add(script.sha)
                wire.tell("SCRIPT", "LOAD", script.text)
            return await wire.request(*args, deadline=deadline)
        # With either the connection is closed already, and another one may be open by now.
        except TimeoutError as error:
            text = f"{self._server} did not answer within {timeout:g} s"
            raise BrokerUnavailableError(text) from error
        except OSError as error:
            raise BrokerUnavailableError(
                f"{self._server} cannot be reached: {error}"
            ) from error

    async def _open(self) -> Wire:
        async with self._opening:
            if self._wire is None or self._wire.closed:
                self._wire = await self._connect()
                self.opened += 1
                self._taught.clear()
            if self._ended:
                self.drop()
                raise ConnectionAbortedError("the broker was closed")
            return self._wire

    def _refused(self, reply: ReplyError) -> BrokerError:
        code, text = _code(reply.text), _advised(reply.text)
        if code in RECONNECT:
            self.drop()
        if code in TRANSIENT:
            return BrokerUnavailableError(f"{self._server} cannot serve this now: {text}")
        return BrokerError(f"{self._server} refused a command: {text}")


def _advised(text: str) -> str:
    """The server's words, and what would work where they tell of a mistake."""
    advice = next((advice for words, advice in ADVICE.items() if words in text), "")
    return f"{text.rstrip('.')}. {advice}" if advice else text


def _code(text: str) -> str:
    """What kind of error it is: an error that left a script has its code further inside,
    as in ``ERR Error running script (…): -READONLY …`` of Redis 6.2."""
    words = _CODE.findall(text)
    return next((word for word in words if word in TRANSIENT), words[0] if words else "")


async def retrying(call: Callable[[], Awaitable[T]], limit: float) -> T:
    """Repeat *call* while the server cannot be reached, for up to *limit* seconds.

    Only for calls that are harmless when they are sent twice.

    Raises:
        BrokerUnavailableError: The last failure.
    """
    try:
        return await call()
    except ClosedError:
        raise
    except BrokerUnavailableError:
        return await _again(call, limit)


async def _again(call: Callable[[], Awaitable[T]], limit: float) -> T:
    loop = asyncio.get_running_loop()
    deadline, delay = loop.time() + limit, 0.02
    while True:
        pause = delay * _random.uniform(0.5, 1.0)
        await asyncio.sleep(pause)
        delay = min(2 * delay, 0.5)
        try:
            return await call()
        except ClosedError:
            raise
        except BrokerUnavailableError:
            if loop.time() + delay >= deadline:
                raise
