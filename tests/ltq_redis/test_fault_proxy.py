"""The proxy that the tests of faults stand on."""

from __future__ import annotations

import asyncio
import gc
import socket

from fault_proxy import FaultProxy
from quiet_ports import quiet_port


class MetAtTheDoor(FaultProxy):
    """A proxy that accepts a client in the very turn of its loop in which it is closed."""

    client: socket.socket

    async def _close(self) -> None:
        self.client = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        await asyncio.sleep(0)  # the loop hears of it,
        await asyncio.sleep(0)  # accepts it, and has yet to say so
        await super()._close()


def test_client_that_comes_as_the_proxy_stops_leaves_no_warning() -> None:
    proxy = MetAtTheDoor(quiet_port()).start()
    proxy.stop()
    with proxy.client as client:
        rest = client.recv(1)
    gc.collect()

    assert rest == b""
