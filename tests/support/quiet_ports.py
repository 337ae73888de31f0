"""Ports for servers that start a moment after they were chosen."""

from __future__ import annotations

import random
import socket

# Below the range from which systems give ports to outgoing connections, so that nobody
# takes one by chance between the choice and the start.
RANGE = range(10_500, 22_000)


def quiet_port(*offsets: int) -> int:
    """A loopback port that is free, as are those at *offsets* above it."""
    while True:
        port = random.choice(RANGE)
        if all(_is_free(port + offset) for offset in (0, *offsets)):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
