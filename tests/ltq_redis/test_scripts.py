"""What the scripts share, as servers run it."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import pytest
import redis

if TYPE_CHECKING:
    from redis_server import RedisServer


@pytest.fixture
def telling(any_server: RedisServer, own_client: redis.Redis) -> str:
    """A script: it makes a call that fails, and returns the error if it is one queue's own."""
    own_client.set("junk", "no number")
    common = (files("ltq_redis") / "lua" / "common.lua").read_text()
    return (
        common + "local _, failure = pcall(redis.call, unpack(ARGV)) return own_error(failure)"
    )


@pytest.mark.parametrize(
    "command", [("ZCARD", "junk"), ("INCR", "junk"), ("ZADD", "queue", "junk", "raw")]
)
def test_error_of_one_queue_is_told(
    own_client: redis.Redis, telling: str, command: tuple[str, ...]
) -> None:
    told = own_client.eval(telling, 0, *command)

    assert b"WRONGTYPE" in told or b"value is not a" in told


@pytest.mark.parametrize("command", [("SUBSCRIBE", "junk"), ("NOSUCH", "junk")])
def test_error_that_concerns_all_queues_is_raised(
    own_client: redis.Redis, telling: str, command: tuple[str, ...]
) -> None:
    with pytest.raises(redis.ResponseError, match="[Cc]ommand"):
        own_client.eval(telling, 0, *command)
