"""A master, its replica, and three sentinels that watch them, on loopback."""

from __future__ import annotations

import os
import signal
import subprocess
import time

from quiet_ports import quiet_port
from redis_server import NoServerError, RedisServer, find_server

SERVICE = "mymaster"
PATIENCE = 20.0  # seconds for a sentinel to know the others, on a loaded machine


class Sentinel(RedisServer):
    """A sentinel over *master*; two must agree that it is gone."""

    def __init__(self, master: RedisServer) -> None:
        super().__init__()
        self.port = quiet_port()
        self._config = self.folder / "sentinel.conf"
        self._config.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {self.folder}\nprotected-mode no\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {master.port} 2\n"
            f"sentinel down-after-milliseconds {SERVICE} 600\n"
            f"sentinel failover-timeout {SERVICE} 5000\n"
        )

    def start(self, timeout: float = 15) -> Sentinel:
        """Start the process and wait until it answers."""
        command = [find_server(), str(self._config), "--sentinel"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + timeout
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise NoServerError((self.folder / "log").read_text())
            time.sleep(0.02)
        return self

    def is_ready(self) -> bool:
        """Whether it knows both other sentinels, and both replicas."""
        with self.client() as client:
            rows = client.execute_command("SENTINEL", "MASTER", SERVICE)
        state = {_text(key): _text(value) for key, value in _pairs(rows)}
        return (state["num-other-sentinels"], state["num-slaves"]) == ("2", "2")


class Trio:
    """Three sentinels, a master and two replicas.

    Attributes:
        servers: The master first.
        sentinels: The three.
    """

    def __init__(self) -> None:
        self.servers = [RedisServer(repl_diskless_sync_delay=0) for _ in range(3)]
        for server in self.servers:
            server.port = quiet_port()
        self.sentinels = [Sentinel(self.servers[0]) for _ in range(3)]
        self._frozen: RedisServer | None = None

    @property
    def url(self) -> str:
        """The sentinels' addresses, and the service's name."""
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in self.sentinels)
        return f"redis+sentinel://{hosts}/{SERVICE}"

    def start(self) -> Trio:
        """Start all, and wait until a failover could be agreed on."""
        master = self.servers[0]
        for server in self.servers:
            server.start()
            if server is not master:
                with server.client() as client:
                    client.replicaof("127.0.0.1", str(master.port))
        deadline = time.monotonic() + PATIENCE
        while len(self._fed(master)) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        for sentinel in self.sentinels:
            sentinel.start()
        while not all(one.is_ready() for one in self.sentinels):
            assert time.monotonic() < deadline, "the sentinels did not find each other"
            time.sleep(0.05)
        return self

    def remove(self) -> None:
        """End all."""
        for one in (*self.sentinels, *self.servers):
            one.remove()

    def freeze_master(self) -> None:
        """Let the master hang: it is connected, and answers nothing."""
        self._frozen = self.master()
        os.kill(self._frozen.pid, signal.SIGSTOP)

    def master(self) -> RedisServer:
        """The server that is a master now, and answers."""
        for server in self.servers:
            if server.process and server is not self._frozen:
                with server.client() as client:
                    if client.role()[0] == b"master":
                        return server
        raise LookupError("there is no master")

    @staticmethod
    def _fed(master: RedisServer) -> list[object]:
        with master.client() as client:
            role: list[list[object]] = client.role()
        return role[2]


def _pairs(rows: object) -> list[tuple[object, object]]:
    if isinstance(rows, dict):
        return list(rows.items())
    assert isinstance(rows, list)
    return list(zip(rows[::2], rows[1::2], strict=True))


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
