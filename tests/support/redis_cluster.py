"""A real Redis Cluster on loopback, made with plain commands."""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Any

from ltq_core.testing import wait_until
from quiet_ports import quiet_port
from redis_server import RedisServer

if TYPE_CHECKING:
    import redis

MASTERS = 3
SLOTS = 16384
BUS = 10_000
"""What a node adds to its port for the nodes' own talk, before Redis 7 at least."""

PATIENCE = 30.0  # seconds for the nodes to agree on something, on a loaded machine


class RedisCluster:
    """Masters that share the slots evenly; without replicas, but for one queue's master.

    Args:
        guarded: The queue whose master has *replicas*.
        replicas: How many.

    Attributes:
        nodes: All nodes, the masters first.
    """

    def __init__(self, guarded: str = "", replicas: int = 0) -> None:
        self._guarded = guarded
        self.nodes = [_Node() for _ in range(MASTERS + replicas)]

    @property
    def url(self) -> str:
        """Where the first two nodes answer."""
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes[:2])
        return f"redis+cluster://{hosts}"

    def start(self) -> RedisCluster:
        """Start all nodes and wait until each sees a cluster that is whole."""
        for node in self.nodes:
            node.start()
        first, *others = self.nodes
        for node in others:
            node.run("CLUSTER MEET", "127.0.0.1", first.port)
        share = SLOTS // MASTERS + 1
        for i, node in enumerate(self.nodes[:MASTERS]):
            node.run("CLUSTER ADDSLOTS", *range(SLOTS)[i * share : (i + 1) * share])
        ids = {node.id() for node in self.nodes}
        self._until(lambda node: {row[0] for row in node.known()} == ids, "all have met")
        for node in self.nodes[MASTERS:]:
            node.run("CLUSTER REPLICATE", self.serving(slot_of(self._guarded)).id())
        self._until(lambda node: node.is_whole(), "the cluster is whole")
        return self

    def remove(self) -> None:
        """End all nodes."""
        for node in self.nodes:
            node.remove()

    def serving(self, slot: int) -> _Node:
        """The node that serves *slot*."""
        for node in self.nodes:
            if node.process and node.serves(slot):
                return node
        raise LookupError(f"nobody serves slot {slot}")

    def left_behind(self) -> list[str]:
        """The keys of all nodes that do not expire by themselves."""
        return sorted({key for node in self.nodes if node.process for key in node.own_keys()})

    def move(self, slot: int, target: _Node) -> int:
        """Move *slot* and its keys while they are in use; how many keys that were."""
        source = self.serving(slot)
        target.run("CLUSTER SETSLOT", slot, "IMPORTING", source.id())
        source.run("CLUSTER SETSLOT", slot, "MIGRATING", target.id())
        moved = 0
        while keys := source.run("CLUSTER GETKEYSINSLOT", slot, 10):
            source.run("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
            moved += len(keys)
        for node in (target, source, *self.nodes):
            if node.process:
                node.run("CLUSTER SETSLOT", slot, "NODE", target.id())
        return moved

    def _until(self, fact: Any, description: str) -> None:
        for node in self.nodes:
            wait_until(lambda node=node: fact(node), PATIENCE, description)


class _Node(RedisServer):
    def __init__(self) -> None:
        super().__init__(
            cluster_enabled="yes",
            cluster_node_timeout=1500,
            cluster_require_full_coverage="no",
            repl_diskless_sync_delay=0,
        )
        self.port = quiet_port(BUS)
        self._client: redis.Redis | None = None

    def run(self, command: str, *args: object) -> Any:
        """What the node answers."""
        if self._client is None:
            self._client = self.client()
        return self._client.execute_command(*command.split(), *args)

    def remove(self) -> None:
        if self._client is not None:
            self._client.close()
        super().remove()

    def id(self) -> str:
        return _text(self.run("CLUSTER MYID"))

    def known(self) -> list[list[str]]:
        """The nodes that this one has met, as rows of words."""
        rows = self.run("CLUSTER NODES")
        text = rows if isinstance(rows, str) else _text(rows)
        return [row.split() for row in text.splitlines() if "handshake" not in row]

    def is_whole(self) -> bool:
        """Whether all slots are served and all replicas are fed, as far as this one knows."""
        state = _text(self.run("CLUSTER INFO"))
        role = self.run("INFO", "replication")
        return "cluster_state:ok" in state and role.get("master_link_status", "up") == "up"

    def own_keys(self) -> list[str]:
        """The keys of this node that do not expire by themselves."""
        keys = [_text(key) for key in self.run("KEYS", "*")]
        return [key for key in keys if self.run("TTL", key) < 0]

    def serves(self, slot: int) -> bool:
        for row in self.known():
            if "myself" in row[2] and "master" in row[2]:
                return any(slot in _range(word) for word in row[8:] if word[0] != "[")
        return False


def slot_of(queue: str) -> int:
    """The slot of a queue's keys."""
    return binascii.crc_hqx(queue.partition(":")[0].encode(), 0) % SLOTS


def _range(word: str) -> range:
    first, _, last = word.partition("-")
    return range(int(first), int(last or first) + 1)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
