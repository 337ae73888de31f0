"""What ltq-redis offers to LTQ."""

from __future__ import annotations

from ltq_core import hookimpl

SCHEMES = (
    "redis",
    "rediss",
    "unix",
    "valkey",
    "valkeys",
    "redis+sentinel",
    "rediss+sentinel",
    "redis+cluster",
    "rediss+cluster",
)


@hookimpl
def ltq_register_brokers() -> dict[str, str]:
    """One broker for a single server, a sentinel trio or a cluster."""
    return dict.fromkeys(SCHEMES, "ltq_redis.broker:RedisBroker")
