"""``together://``: the memory broker, passed off as one that processes share."""

from __future__ import annotations

from typing import ClassVar

from fake_site import SoundBroker
from ltq_core import hookimpl
from ltq_memory.broker import MemoryBroker

PLUGIN = "from together import ltq_register_brokers"
"""The source of the plugin that offers it."""


class TogetherBroker(MemoryBroker):
    """A memory broker that commands consent to look into."""

    shared: ClassVar[bool] = True

    def __init__(self, url: str) -> None:
        super().__init__(url.replace("together://", "memory://"))


class PlainBroker(SoundBroker):
    """A shared broker without any ability."""

    shared: ClassVar[bool] = True


@hookimpl
def ltq_register_brokers() -> dict[str, type[TogetherBroker]]:
    """``together://NAME`` meets the queues of ``memory://NAME``."""
    return {"together": TogetherBroker}
