"""A real Redis of the benchmark's own: a free loopback port, nothing on disk."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path

import redis
from processes import running

_START_TIMEOUT = 10.0
_BEGIN, _END = "benchmark-begins", "benchmark-ends"


class Server:
    """What the harness asks of Redis."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"redis://127.0.0.1:{port}"
        self._client = redis.Redis(port=port, socket_timeout=60)

    def answers(self) -> bool:
        """Whether it is up."""
        try:
            return bool(self._client.ping())
        except redis.ConnectionError:
            return False

    def flush(self) -> None:
        """Empty it, and wait until its memory is free again."""
        self._client.flushall(asynchronous=False)

    def used_memory(self) -> int:
        """Bytes that its data and the server itself take."""
        return int(self._client.info("memory")["used_memory"])

    def cpu_seconds(self) -> float:
        """CPU time that it has used so far."""
        spent = self._client.info("cpu")
        return float(spent["used_cpu_user"] + spent["used_cpu_sys"])

    def version(self) -> str:
        """Its version."""
        return str(self._client.info("server")["redis_version"])

    @contextmanager
    def monitored(self) -> Iterator[list[str]]:
        """Collect who sent each command in the block: "tcp", or "lua" for a script."""
        senders: list[str] = []
        with self._client.monitor() as monitor:  # type: ignore[no-untyped-call]
            self._client.echo(_BEGIN)
            yield senders
            self._client.echo(_END)
            seen = iter(monitor.listen())
            for _ in takewhile(lambda command: _BEGIN not in command["command"], seen):
                pass
            within = takewhile(lambda command: _END not in command["command"], seen)
            senders.extend(command["client_type"] for command in within)


@contextmanager
def running_server(executable: str, folder: Path) -> Iterator[Server]:
    """Start a Redis for the length of the block."""
    server = Server(_free_port())
    command = [executable, "--port", str(server.port), "--bind", "127.0.0.1"]
    command += ["--save", "", "--appendonly", "no", "--dir", str(folder)]
    with running(command, os.environ, folder / "redis.log") as process:
        process.wait_for(server.answers, _START_TIMEOUT)
        yield server


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
