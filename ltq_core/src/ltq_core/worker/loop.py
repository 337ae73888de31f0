"""Which event loop runs a worker."""

from __future__ import annotations

import asyncio
from importlib import import_module


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A new event loop: uvloop's where that is installed, else asyncio's."""
    try:
        uvloop = import_module("uvloop")
    except ModuleNotFoundError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
