"""The worker that notifies people."""

import ltq

log = ltq.get_logger("notifications")
worker = ltq.Worker("notifications", concurrency=20)


@worker.task(max_tries=5, max_rate="50/s")
async def push(channel: str, text: str) -> None:
    """Tell a channel something."""
    log.info("to %s: %s", channel, text)
