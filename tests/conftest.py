"""Fixtures that every folder of tests may use."""

from __future__ import annotations

import os
import secrets
import signal
from typing import TYPE_CHECKING

import pytest
import redis

from redis_server import NoServerError, RedisServer
from redis_store import RedisStore

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_configure() -> None:
    """Let the processes that tests start be interrupted.

    A shell that starts pytest in the background has it ignore SIGINT, which they inherit.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def redis_server_url() -> Iterator[str]:
    """One real server for the whole run."""
    if given := os.environ.get("LTQ_TEST_REDIS_URL"):
        yield given.rstrip("/")
        return
    server = RedisServer()
    try:
        server.start()
    except NoServerError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no Redis server: {error}")
    yield server.url
    server.remove()


@pytest.fixture
def redis_client(redis_server_url: str) -> Iterator[redis.Redis]:
    """A plain client of the run's server."""
    with redis.Redis.from_url(redis_server_url, protocol=2) as client:
        yield client


@pytest.fixture
def redis_prefix() -> str:
    """A key prefix that no other test has."""
    return f"test-{secrets.token_hex(4)}:"


@pytest.fixture
def redis_store(
    redis_server_url: str, redis_client: redis.Redis, redis_prefix: str
) -> Iterator[str]:
    """A broker URL with a prefix of its own, emptied afterwards."""
    yield f"{redis_server_url}?lease=3&prefix={redis_prefix}"
    if keys := list(redis_client.scan_iter(f"{redis_prefix}*")):
        redis_client.delete(*keys)


@pytest.fixture
def redis_url(redis_store: str, redis_client: redis.Redis, redis_prefix: str) -> Iterator[str]:
    """`redis_store`, for a test that leaves no key behind but what expires by itself."""
    yield redis_store
    left = RedisStore(redis_client, redis_prefix).left_behind()
    assert not left, f"keys left behind: {left}"
