"""What ltq-sqlite offers to LTQ."""

from __future__ import annotations

from ltq_core import hookimpl


@hookimpl
def ltq_register_brokers() -> dict[str, str]:
    """``sqlite://``."""
    return {"sqlite": "ltq_sqlite.broker:SqliteBroker"}
