"""Keys, and sends with them, as the facts use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltq_core.abilities import UniquePublish
from ltq_core.testing.ability import AbilityConformance

if TYPE_CHECKING:
    from ltq_core.broker import Broker
    from ltq_core.message import Message

SIMILAR = (
    "key",
    "Key",
    "key ",
    "ke",
    "k_y",
    "k%",
    "k*",
    "k:y",
    *(199 * "k" + end for end in "12"),
)
"""Keys that a store takes for one if it folds, trims, matches or cuts them."""


class Keyed(AbilityConformance[UniquePublish]):
    """How a fact sends with a key."""

    ability = UniquePublish

    async def send(
        self, broker: Broker, sent: Message, key: str = "key", hold: float = 0, delay: float = 0
    ) -> str:
        """Publish *sent* with a key, as a task does."""
        sent.ctx["unique"] = key
        return await self.of(broker).publish_unique(sent, key, hold, delay)
