"""What stands in a Redis under one prefix, seen past the broker."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ltq_core.message import Message
from ltq_redis.keys import QueueKeys

if TYPE_CHECKING:
    import redis

QUEUE, OTHER = "mail:send", "mail:digest"


def message(label: str, queue: str = QUEUE, **ctx: object) -> Message:
    """A message whose id is *label*, so that it can be told apart in the store."""
    return Message((label,), {}, queue, {"created_at": 0.0, **ctx}, label)


class RedisStore:
    """Counts messages wherever they stand, and names the keys that are left.

    Args:
        client: A plain client of the server.
        prefix: What all keys begin with.
    """

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self.client = client
        self.prefix = prefix

    def keys(self, queue: str = QUEUE) -> QueueKeys:
        """The names of a queue's keys."""
        return QueueKeys(queue, self.prefix)

    def waiting(self, queue: str = QUEUE) -> Counter[str]:
        """How often each message waits, wherever that is, by its id."""
        keys = self.keys(queue)
        return self._ids(keys.queue, keys.suspects, keys.parked, keys.reserved)

    def held(self, queue: str = QUEUE) -> Counter[str]:
        """How often each message is held by a worker, dead or alive."""
        found = self.client.scan_iter(f"{self.keys(queue).processing('*')}")
        return self._ids(*(key.decode() for key in found))

    def dead(self, queue: str = QUEUE) -> int:
        """The number of dead letters."""
        return int(self.client.zcard(self.keys(queue).dead))

    def blocked(self) -> int:
        """How many clients wait for a token."""
        return int(self.client.info("clients")["blocked_clients"])

    def left_behind(self) -> list[str]:
        """The keys that do not expire by themselves."""
        keys = self.client.scan_iter(f"{self.prefix}*")
        return sorted(key.decode() for key in keys if self.client.ttl(key) == -1)

    def put_raw(self, raw: bytes, queue: str = QUEUE, score: float = 0) -> None:
        """Put bytes into a queue past the broker, and without a token."""
        self.client.zadd(self.keys(queue).queue, {raw: score})

    def put_dead_worker(self, name: str, *messages: Message) -> None:
        """Leave *messages* as a worker does whose lease ended a moment ago."""
        keys = self.keys(messages[0].task_name)
        self.client.zadd(keys.workers, {name: 1})
        self.client.zadd(keys.processing(name), {one.to_json(): 1 for one in messages})

    def _ids(self, *keys: str) -> Counter[str]:
        members = [member for key in keys for member in self.client.zrange(key, 0, -1)]
        return Counter(Message.from_json(raw[raw.index(b"{") :]).id for raw in members)
