"""Every way to reach a server: TLS, sockets, databases, the names of the schemes."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil
import pytest
import redis

from certificates import Authority
from fault_proxy import FaultProxy
from ltq_core import Broker, BrokerUnavailableError, ConfigurationError
from ltq_core.testing import wait_until
from ltq_redis import RedisBroker
from ltq_redis.plugin import SCHEMES
from ltq_redis.wire import Wire
from quiet_ports import quiet_port
from redis_server import NoServerError, RedisServer
from redis_store import QUEUE, RedisStore, message
from small_worker import SmallWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


async def exchange(url: str) -> None:
    """Send a message and run it."""
    broker = Broker.from_url(url)
    try:
        await broker.publish(message("a"))
        await SmallWorker(broker, QUEUE).drain(["a"])
    finally:
        await broker.close()


async def refused(url: str) -> None:
    """Ask for something, and expect no answer."""
    broker = Broker.from_url(url)
    try:
        await broker.size(QUEUE)
    finally:
        await broker.close()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def tls_url(
    redis_url: str, redis_server_url: str, authority: Authority
) -> Iterator[Callable[..., str]]:
    """A broker URL through a TLS proxy whose certificate names the given hosts."""
    proxies: list[FaultProxy] = []

    def make(*hosts: str, scheme: str = "rediss", **options: object) -> str:
        target = urlsplit(redis_server_url).port or 6379
        proxies.append(FaultProxy(target, tls=authority.server_context(*hosts)).start())
        query = "".join(f"&{name}={value}" for name, value in options.items())
        host = f"{scheme}://127.0.0.1:{proxies[-1].port}"
        return redis_url.replace(redis_server_url, host) + query

    yield make
    for proxy in proxies:
        proxy.stop()


@pytest.mark.parametrize("scheme", ["rediss", "valkeys"])
async def test_tls_works_with_a_trusted_certificate(
    tls_url: Callable[..., str], authority: Authority, scheme: str
) -> None:
    await exchange(tls_url("127.0.0.1", scheme=scheme, ssl_ca_certs=authority.ca_file))


async def test_unknown_certificate_is_refused_by_default(tls_url: Callable[..., str]) -> None:
    with pytest.raises(BrokerUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
        await refused(tls_url("127.0.0.1"))


async def test_certificate_of_another_host_is_refused(
    tls_url: Callable[..., str], authority: Authority
) -> None:
    with pytest.raises(BrokerUnavailableError, match="IP address mismatch"):
        await refused(tls_url("redis.example", ssl_ca_certs=authority.ca_file))


async def test_host_name_may_be_left_unchecked(
    tls_url: Callable[..., str], authority: Authority
) -> None:
    options = {"ssl_ca_certs": authority.ca_file, "ssl_check_hostname": 0}
    await exchange(tls_url("redis.example", **options))


async def test_certificates_may_be_left_unchecked(tls_url: Callable[..., str]) -> None:
    await exchange(tls_url("redis.example", ssl_cert_reqs="none"))


async def test_certificate_file_that_is_missing_is_named(
    tls_url: Callable[..., str], tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="certificate file cannot be read"):
        await refused(tls_url("127.0.0.1", ssl_ca_certs=tmp_path / "no.pem"))


async def test_tls_with_a_plain_server_is_refused(redis_url: str) -> None:
    with pytest.raises(BrokerUnavailableError):
        await refused(redis_url.replace("redis://", "rediss://") + "&timeout=0.5")


async def test_valkey_is_another_name_for_redis(redis_url: str) -> None:
    await exchange(redis_url.replace("redis://", "valkey://"))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_leads_to_this_broker(scheme: str) -> None:
    broker = Broker.from_url(f"{scheme}://localhost/0" if scheme != "unix" else "unix:///a")

    assert isinstance(broker, RedisBroker)


@pytest.fixture(scope="module")
def guarded_server() -> Iterator[RedisServer]:
    """A server with a password and a socket."""
    server = RedisServer()
    server.options["unixsocket"] = server.folder / "redis.sock"
    try:
        server.start()
    except NoServerError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no Redis server: {error}")
    with server.client() as client:
        client.config_set("requirepass", "p@ss:w/rd?#")
    yield server
    server.remove()


PASSWORD = "p%40ss%3Aw%2Frd%3F%23"


@pytest.mark.parametrize("user", ["", "default"])
async def test_password_opens_a_server(guarded_server: RedisServer, user: str) -> None:
    await exchange(f"redis://{user}:{PASSWORD}@127.0.0.1:{guarded_server.port}")


async def test_socket_leads_to_a_server(guarded_server: RedisServer) -> None:
    await exchange(f"unix://:{PASSWORD}@{guarded_server.folder}/redis.sock")


async def test_missing_socket_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(BrokerUnavailableError):
        await refused(f"unix://{tmp_path}/no.sock")


@pytest.mark.parametrize("where", ["/3", "/?db=3"])
async def test_database_is_chosen(guarded_server: RedisServer, where: str) -> None:
    broker = RedisBroker(f"redis://:{PASSWORD}@127.0.0.1:{guarded_server.port}{where}")
    await broker.publish(message("a"))
    url = f"redis://:{PASSWORD}@127.0.0.1:{guarded_server.port}/3"
    with redis.Redis.from_url(url, protocol=2) as client:
        assert RedisStore(client, "").waiting() == {"a": 1}
    await broker.clear(QUEUE)
    await broker.close()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections in and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def test_server_that_is_away_is_named() -> None:
    port = quiet_port()
    broker = RedisBroker(f"redis://:secret@localhost:{port}")
    away = rf"^Redis at localhost:{port} cannot be reached: "
    with pytest.raises(BrokerUnavailableError, match=away) as raised:
        await broker.size(QUEUE)

    assert "secret" not in str(raised.value)
    await broker.close()


async def test_attempts_that_were_given_up_leave_no_connection(silent_port: int) -> None:
    broker = RedisBroker(f"redis://:secret@127.0.0.1:{silent_port}?timeout=0.1")
    silence = rf"^Redis at 127.0.0.1:{silent_port} did not answer within 0.1 s$"
    with pytest.raises(BrokerUnavailableError, match=silence):
        await broker.size(QUEUE)
    call = asyncio.ensure_future(broker.size(QUEUE))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.wait({call})

    await wait_until(lambda: not connections_to(silent_port), 5, "all are closed")
    await broker.close()


def connections_to(port: int) -> list[object]:
    here = psutil.Process().net_connections("tcp4")
    return [one for one in here if one.raddr and one.raddr[1] == port]


def test_loop_that_ends_without_close_leaves_no_warning(redis_url: str) -> None:
    broker = RedisBroker(redis_url)

    async def work() -> None:
        await broker.publish(message("a"))
        await broker.ack(await broker.consume(QUEUE))

    asyncio.run(work())
    asyncio.run(work())  # here the first loop's connections are dropped
    asyncio.run(broker.close())
    gc.collect()


def test_tls_loop_that_ends_without_close_leaves_no_warning(
    tls_url: Callable[..., str],
) -> None:
    test_loop_that_ends_without_close_leaves_no_warning(
        tls_url("127.0.0.1", ssl_cert_reqs="none")
    )


def test_tls_connection_given_up_as_it_opens_leaves_no_warning(
    tls_url: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Wire.connection_made
    calls: list[asyncio.Future[int]] = []

    def give_up(wire: Wire, transport: asyncio.BaseTransport) -> None:
        opened(wire, transport)
        calls[0].cancel()

    async def work() -> None:
        broker = RedisBroker(tls_url("127.0.0.1", ssl_cert_reqs="none"))
        calls.append(asyncio.ensure_future(broker.size(QUEUE)))
        await asyncio.wait(calls)

    monkeypatch.setattr(Wire, "connection_made", give_up)
    asyncio.run(work())
    gc.collect()

    assert calls[0].cancelled()
