"""arq: results off (keep_result=0), polling as often as pays (see the README)."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from arq import create_pool, func
from arq.connections import ArqRedis, RedisSettings
from peers.async_tasks import ALL
from peers.settings import CONCURRENCY, URL

_settings = RedisSettings.from_dsn(URL)
_pool: ArqRedis


def _with_context(function: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def run(_context: object, *arguments: object) -> None:
        await function(*arguments)

    return run


class WorkerSettings:
    redis_settings = _settings
    functions = [
        func(_with_context(function), name=function.__name__, keep_result=0) for function in ALL
    ]
    max_jobs = CONCURRENCY
    poll_delay = 0.01


async def connect() -> None:
    global _pool  # noqa: PLW0603 - arq's pool needs a running loop
    _pool = await create_pool(_settings)


async def close() -> None:
    await _pool.aclose()


def sender(task: str) -> Callable[..., Awaitable[Any]]:
    return partial(_pool.enqueue_job, task)
