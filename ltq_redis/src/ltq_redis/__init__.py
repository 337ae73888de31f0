"""LTQ's broker for Redis and Valkey."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltq_core import lazy_names

if TYPE_CHECKING:
    from ltq_redis.broker import RedisBroker as RedisBroker

__all__ = ["RedisBroker"]

# The plugin module lives in this package too, and must stay light.
if not TYPE_CHECKING:  # a type checker would take any name for granted
    __getattr__, __dir__ = lazy_names(__name__, {"RedisBroker": "ltq_redis.broker"})
