"""LTQ's broker for Redis and Valkey."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ltq_redis.broker import RedisBroker as RedisBroker

__all__ = ["RedisBroker"]


def __getattr__(name: str) -> Any:
    # The plugin module lives in this package too, and must stay light.
    if name == "RedisBroker":
        from ltq_redis.broker import RedisBroker

        return RedisBroker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
