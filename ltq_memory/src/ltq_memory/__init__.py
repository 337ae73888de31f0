"""LTQ's in-process broker: ``memory://``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltq_core import lazy_names

if TYPE_CHECKING:
    from ltq_memory.broker import MemoryBroker as MemoryBroker

__all__ = ["MemoryBroker"]

# The plugin module lives in this package too, and must stay light.
if not TYPE_CHECKING:  # a type checker would take any name for granted
    __getattr__, __dir__ = lazy_names(__name__, {"MemoryBroker": "ltq_memory.broker"})
