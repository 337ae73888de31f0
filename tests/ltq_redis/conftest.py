"""Fixtures of the Redis broker's tests, which may be coroutine functions."""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

import redis_server
from fault_proxy import SCRIPTS, FaultProxy
from ltq_core import BrokerError
from ltq_core.testing import wait_until
from ltq_redis.broker import _brokers
from quiet_ports import quiet_port
from redis_server import NoServerError, RedisServer
from redis_store import RedisStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis

# Seconds for one coroutine: every wait in it has a limit of its own, and a shorter one.
LIMIT = 180


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine function in an event loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    call = pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})
    asyncio.run(asyncio.wait_for(call, LIMIT))
    return True


@pytest.fixture(autouse=True)
def _brokers_are_closed() -> Iterator[None]:
    """Leave no lease thread behind, whether or not a test came to close its brokers."""
    yield
    for broker in list(_brokers):
        with suppress(BrokerError):
            asyncio.run(broker.close())
    wait_until(
        lambda: all(thread.name != "ltq-lease" for thread in threading.enumerate()),
        5,
        "no lease thread is left",
    )


@pytest.fixture
def store(redis_client: redis.Redis, redis_prefix: str) -> RedisStore:
    """What stands under the test's prefix."""
    return RedisStore(redis_client, redis_prefix)


@pytest.fixture
def proxy(redis_server_url: str, redis_client: redis.Redis) -> Iterator[FaultProxy]:
    """A proxy before the run's server, which knows all scripts already."""
    for script in SCRIPTS.values():
        redis_client.script_load(script.text)
    proxy = FaultProxy(urlsplit(redis_server_url).port or 6379).start()
    yield proxy
    proxy.stop()


@pytest.fixture
def proxied_store(redis_store: str, redis_server_url: str, proxy: FaultProxy) -> str:
    """`redis_store`, through the proxy."""
    return redis_store.replace(redis_server_url, f"redis://127.0.0.1:{proxy.port}")


@pytest.fixture
def proxied_url(redis_url: str, proxied_store: str) -> str:
    """`proxied_store`, for a test that leaves no key behind, as `redis_url`."""
    return proxied_store


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    """A server for one test, which may do to it what it likes."""
    server = RedisServer()
    server.port = quiet_port()
    try:
        server.start()
        yield server
    except NoServerError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no Redis server: {error}")
    finally:
        server.remove()


@pytest.fixture
def own_client(own_server: RedisServer) -> Iterator[redis.Redis]:
    """A plain client of `own_server`."""
    with own_server.client() as client:
        yield client


@pytest.fixture(params=["installed", "6.2"])
def any_server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> RedisServer:
    """A server of its own for one test: the installed Redis, and the oldest one supported."""
    if request.param == "6.2":
        monkeypatch.setattr(
            redis_server, "find_server", lambda: str(redis_server._from_wheel())
        )
    server: RedisServer = request.getfixturevalue("own_server")
    return server
