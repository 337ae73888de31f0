"""Where to connect: one server, the master that sentinels name, or a cluster's node."""

from __future__ import annotations

import asyncio
import binascii
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

from ltq_core import BrokerUnavailableError, ConfigurationError, describe
from ltq_redis.wire import Arg, ReplyError, Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from ltq_redis.settings import Credentials, Settings

Address = tuple[str, int]
SLOTS = 16384


class Topology(Protocol):
    """Opens connections to whoever serves a tag (the first part of a queue's name)."""

    async def connect(self, tag: str) -> Wire:
        """An open connection; the caller bounds the time.

        Raises:
            BrokerUnavailableError: Nobody serves the tag now.
            OSError: The connection cannot be opened.
        """
        ...

    async def tags(self) -> list[str]:
        """For every server that holds keys a tag that it serves.

        Raises:
            BrokerUnavailableError: Nobody can tell.
        """
        ...


def topology(settings: Settings) -> Topology:
    """The topology that *settings* name."""
    kinds: dict[str, Callable[[Settings], Topology]]
    kinds = {"single": Single, "sentinel": Sentinels, "cluster": Cluster}
    return kinds[settings.kind](settings)


class _OneServer:
    """All keys stand in one place."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def tags(self) -> list[str]:
        """Any tag does."""
        return [""]


class Single(_OneServer):
    """One server, at an address or behind a socket."""

    async def connect(self, tag: str) -> Wire:
        """A connection to the server, whatever the tag."""
        settings = self._settings
        if not settings.path:
            return await _open(settings, settings.hosts[0], settings.credentials, settings.db)
        loop = asyncio.get_running_loop()
        wire = Wire()
        async with _kept(wire):
            await loop.create_unix_connection(lambda: wire, settings.path)
        return await _greet(wire, settings.credentials, settings.db)


class Sentinels(_OneServer):
    """The master that a sentinel names, asked for at each connection."""

    async def connect(self, tag: str) -> Wire:
        """A connection to the present master."""
        settings = self._settings
        wire = await _open(settings, await self._master(), settings.credentials, settings.db)
        async with _kept(wire):
            # HELLO, unlike ROLE, is open to whoever may connect.
            about = await wire.request("HELLO", 2)
            if isinstance(about, ReplyError):
                raise _refused(("HELLO",), about)
            if dict(zip(about[::2], about[1::2], strict=True)).get(b"role") != b"master":
                # A sentinel that is behind names the old master.
                raise BrokerUnavailableError("The server that the sentinels name is no master.")
        return wire

    async def _master(self) -> Address:
        settings, failures = self._settings, []
        ask = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", settings.service)
        for host in settings.hosts:
            try:
                async with _share(settings, settings.hosts):
                    found = await _ask(settings, host, settings.sentinel, *ask)
            except (BrokerUnavailableError, OSError) as error:
                failures.append(f"{host[0]}:{host[1]}: {describe(error)}")
                continue
            if found:
                return found[0].decode(), int(found[1])
            failures.append(f"{host[0]}:{host[1]} knows no master '{settings.service}'")
        raise BrokerUnavailableError(f"No sentinel names a master ({'; '.join(failures)}).")


class Cluster:
    """The node that serves a tag's slot, asked for at each connection."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: tuple[Address, ...] = settings.hosts

    async def connect(self, tag: str) -> Wire:
        """A connection to the node that serves the slot of *tag* now."""
        node = await self._node(_slot(tag))
        return await _open(self._settings, node, self._settings.credentials, 0)

    async def tags(self) -> list[str]:
        """One for each master, found by trying: slots are spread evenly."""
        tags: dict[Address, str] = {}
        masters = await self._masters()
        for number in range(SLOTS):
            if len(tags) == len(set(masters.values())):
                break
            for slots, master in masters.items():
                if _slot(str(number)) in slots:
                    tags.setdefault(master, str(number))
        return list(tags.values())

    async def _node(self, slot: int) -> Address:
        for slots, master in (await self._masters()).items():
            if slot in slots:
                return master
        raise BrokerUnavailableError(f"No cluster node serves slot {slot}.")

    async def _masters(self) -> dict[range, Address]:
        """Who serves which slots, as the first node says that answers."""
        settings, failures = self._settings, []
        hosts = tuple(dict.fromkeys((*self._known, *settings.hosts)))
        for host in hosts:
            try:
                async with _share(settings, hosts):
                    ranges = await _ask(
                        settings, host, settings.credentials, "CLUSTER", "SLOTS"
                    )
            except (BrokerUnavailableError, OSError) as error:
                failures.append(f"{host[0]}:{host[1]}: {describe(error)}")
                continue
            known = {_address(row[2], host) for row in ranges}
            # Another one is asked next time, should this one be behind.
            self._known = tuple(sorted(known, key=lambda node: node == host))
            return {range(row[0], row[1] + 1): _address(row[2], host) for row in ranges}
        raise BrokerUnavailableError(f"No cluster node answers ({'; '.join(failures)}).")


def _slot(tag: str) -> int:
    # Redis' CRC16 is the XMODEM variant (Redis Cluster specification, appendix A).
    return binascii.crc_hqx(tag.encode(), 0) % SLOTS


def _address(node: Any, asked: Address) -> Address:
    # A node that does not know its own address names none: it is where we asked.
    return (node[0].decode() if node[0] else asked[0]), int(node[1])


async def _open(
    settings: Settings, address: Address, credentials: Credentials, database: int
) -> Wire:
    host, port = address
    context = _context(settings) if settings.tls is not None else None
    loop = asyncio.get_running_loop()
    wire = Wire()
    try:
        # asyncio itself would end TLS politely, which the end of the loop may forestall.
        async with _kept(wire):
            await loop.create_connection(lambda: wire, host, port, ssl=context)
    except ssl.SSLError as error:
        # Certificates are the user's move, yet may be mended while a worker waits.
        raise BrokerUnavailableError(f"TLS with {host}:{port} failed: {error}") from error
    return await _greet(wire, credentials, database)


def _share(settings: Settings, hosts: Sequence[Address]) -> asyncio.Timeout:
    """One host's share of the time: one that hangs must not use up that of the others."""
    return asyncio.timeout(settings.timeout / (len(hosts) + 1))


@asynccontextmanager
async def _kept(wire: Wire) -> AsyncIterator[None]:
    """Close a connection unless what is done with it succeeds."""
    try:
        yield
    except BaseException:
        wire.drop()
        raise


async def _greet(wire: Wire, credentials: Credentials, database: int) -> Wire:
    """Authenticate and choose the database; a connection that may not is closed."""
    commands: list[tuple[Arg, ...]] = []
    if credentials.username:
        # Without a password too: unannounced one is the default user, with its rights.
        commands.append(("AUTH", credentials.username, credentials.password))
    elif credentials.password:
        commands.append(("AUTH", credentials.password))
    if database:
        commands.append(("SELECT", database))
    async with _kept(wire):
        for command in commands:
            reply = await wire.request(*command)
            if isinstance(reply, ReplyError):
                # The server's words never hold the password; the command would.
                raise _refused(command, reply)
    return wire


async def _ask(
    settings: Settings, address: Address, credentials: Credentials, *command: Arg
) -> Any:
    wire = await _open(settings, address, credentials, 0)
    try:
        reply = await wire.request(*command)
    finally:
        await wire.close()
    if isinstance(reply, ReplyError):
        raise _refused(command, reply)
    return reply


def _refused(command: tuple[Arg, ...], reply: ReplyError) -> BrokerUnavailableError:
    return BrokerUnavailableError(f"Redis refused {command[0]!s}: {reply.text}")


def _context(settings: Settings) -> ssl.SSLContext:
    tls = settings.tls
    assert tls is not None
    try:
        context = ssl.create_default_context(cafile=tls.ca_certs)
        if tls.certfile:
            context.load_cert_chain(tls.certfile, tls.keyfile)
    except OSError as error:
        raise ConfigurationError(f"A certificate file cannot be read: {error}.") from error
    context.check_hostname = tls.check_hostname and tls.verify
    context.verify_mode = ssl.CERT_REQUIRED if tls.verify else ssl.CERT_NONE
    return context
