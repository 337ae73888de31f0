"""What ltq-memory offers to LTQ."""

from __future__ import annotations

from ltq_core import hookimpl


@hookimpl
def ltq_register_brokers() -> dict[str, str]:
    """``memory://``."""
    return {"memory": "ltq_memory.broker:MemoryBroker"}
