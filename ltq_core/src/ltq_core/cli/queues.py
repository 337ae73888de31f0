"""What the commands that look at a queue have in common."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from ltq_core.broker import Broker, broker_url_of
from ltq_core.cli.output import prints_aside
from ltq_core.errors import ConfigurationError
from ltq_core.logger import redact

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


@prints_aside()
def ask_broker(question: Callable[[Broker], Awaitable[T]]) -> T:
    """What *question* answers about the broker that this command line speaks of.

    Raises:
        ConfigurationError: Another process's queues cannot be seen through it.
        BrokerUnavailableError: It did not answer.
    """
    url = broker_url_of(None)
    broker = Broker.from_url(url)
    if not broker.shared:
        raise ConfigurationError(
            f"The queues of '{redact(url)}' live in the memory of one process: another one, "
            "such as this, sees nothing of them. Use a broker that processes share."
        )

    async def ask() -> T:
        try:
            return await question(broker)
        finally:
            await broker.close()

    return asyncio.run(ask())
