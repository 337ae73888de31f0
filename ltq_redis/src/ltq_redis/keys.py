"""Names of the keys; see the documentation's table of them."""

from __future__ import annotations

from functools import lru_cache

from ltq_core import ConfigurationError


class QueueKeys:
    """The keys of one queue.

    Args:
        queue: The queue's name.
        prefix: Stands before every key.
        tagged: Write the part before the first colon in braces, so that a Redis
            Cluster keeps all queues of one worker in one slot.

    Raises:
        ConfigurationError: The name holds braces or control characters.
    """

    def __init__(self, queue: str, prefix: str = "", tagged: bool = False) -> None:
        if not queue.isprintable() or "{" in queue or "}" in queue:
            raise ConfigurationError(f"A queue's name holds no braces or controls: {queue!r}.")
        self.tag, colon, rest = queue.partition(":")
        self.written = written = f"{{{self.tag}}}{colon}{rest}" if tagged else queue
        self.prefix = prefix
        self.queue = f"{prefix}queue:{written}"
        self.workers = self._own("workers")
        self.deliveries = self._own("deliveries")
        self.suspects = self._own("suspects")
        self.wake = self._own("wake")
        self.dead = self._own("dead")
        self.letters = self._own("letters")
        self.cron = self._own("cron")
        self.running = self._own("running")
        self.parked = self._own("parked")
        self.reserved = self._own("reserved")
        self.lines = self._own("lines")
        self.rate = self._own("rate")
        self.turn = self._own("turn")
        self.paused = self._own("paused")

    def _own(self, kind: str) -> str:
        return f"{self.prefix}ltq:{kind}:{self.written}"

    def processing(self, worker: str) -> str:
        """What *worker* holds."""
        return f"{self.prefix}processing:{self.written}:{worker}"

    def unique(self, key: str) -> str:
        """The holder of a unique key."""
        return f"{self.prefix}ltq:unique:{self.written}:{key}"


@lru_cache(maxsize=1024)
def keys_of(queue: str, prefix: str, tagged: bool) -> QueueKeys:
    """The keys of *queue*, built once: every send asks for them."""
    return QueueKeys(queue, prefix, tagged)
