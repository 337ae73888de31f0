"""Two workers in one process, each in a thread of its own, with middleware for both.

    ltq run --app examples.app.main:app     # runs the workers
    python examples/app/main.py             # sends them messages

Both need a Redis at localhost:6379; LTQ_BROKER_URL names another one.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # a script finds only what lies beside it
    sys.path.append(str(Path(__file__).parents[2]))

import ltq
from examples.app import emails, notifications

log = ltq.get_logger("app")


class Stopwatch(ltq.Middleware):
    """Logs how long each run took, however it ended."""

    @asynccontextmanager
    async def __call__(
        self, message: ltq.Message, task: ltq.Task[..., Any]
    ) -> AsyncIterator[None]:
        """Time one run."""
        start = time.perf_counter()
        try:
            yield
        finally:
            log.info("%s took %.0f ms", task.name, 1000 * (time.perf_counter() - start))


app = ltq.App(middlewares=[Stopwatch()])
app.register_worker(emails.worker)
app.register_worker(notifications.worker)


async def main() -> None:
    """Welcome some people, and remind them a little later: of many reminders, once."""
    for address in ("ada@example.com", "grace@example.com"):
        await emails.welcome.send(address)
        await emails.remind.with_options(delay=2, unique=address).send(address)
    print("sent")


if __name__ == "__main__":
    asyncio.run(main())
