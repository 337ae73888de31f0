"""`Broker`, and the brokers of LTQ's own plugins, where they are installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltq_core.broker import Broker
from ltq_core.lazy import lazy_names

if TYPE_CHECKING:
    from ltq_memory.broker import MemoryBroker as MemoryBroker  # noqa: PLC0414 (exported)
    from ltq_redis.broker import RedisBroker as RedisBroker  # noqa: PLC0414 (exported)

# The plugins' names are left out: `import *` must work without them.
__all__ = ["Broker"]

if not TYPE_CHECKING:  # a type checker would take any name for granted
    __getattr__, __dir__ = lazy_names(
        __name__, {"MemoryBroker": "ltq_memory.broker", "RedisBroker": "ltq_redis.broker"}
    )
