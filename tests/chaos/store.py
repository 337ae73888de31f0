"""What stands in the scenario's Redis."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis_server import RedisServer


class Store:
    """Looks into the Redis of *server*, with no help of LTQ's."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server

    def waiting(self, task: str) -> list[tuple[bytes, float]]:
        """The messages of *task* that wait, with the times when they are due."""
        with self._server.client() as client:
            return list(client.zrange(f"queue:chaos:{task}", 0, -1, withscores=True))

    def held(self, task: str) -> int:
        """How many messages of *task* workers hold."""
        with self._server.client() as client:
            keys = client.scan_iter(f"processing:chaos:{task}:*", count=1000)
            return sum(client.zcard(key) for key in keys)

    def dead(self, task: str) -> list[bytes]:
        """The dead letters of *task*."""
        with self._server.client() as client:
            return list(client.hvals(f"ltq:letters:chaos:{task}"))

    def dead_keys(self, task: str) -> set[str]:
        """What the senders called the messages that are dead letters of *task*."""
        letters = map(json.loads, self.dead(task))
        return {letter["message"]["args"][0] for letter in letters}

    def residue(self) -> list[str]:
        """The keys that nothing will remove: no dead letters, and without an expiry."""
        with self._server.client() as client:
            keys = sorted(client.scan_iter(count=1000))
            return [
                key.decode(errors="replace")
                for key in keys
                if not key.startswith((b"ltq:dead:", b"ltq:letters:")) and client.ttl(key) == -1
            ]
