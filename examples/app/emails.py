"""The worker that writes e-mails."""

import time

import ltq
from examples.app import notifications

log = ltq.get_logger("emails")
worker = ltq.Worker("emails", concurrency=10)


@worker.task(max_tries=5, timeout=30)
async def welcome(address: str) -> None:
    """Welcome someone, and tell the team through the other worker."""
    log.info("welcome, %s", address)
    await notifications.push.send("sales", f"{address} has signed up")


@worker.task(max_tries=5)
def remind(address: str) -> None:
    """Remind someone. A plain function may block: as mail libraries do."""
    time.sleep(0.1)
    log.info("come back, %s", address)
