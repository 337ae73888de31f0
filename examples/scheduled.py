"""Send messages by the clock: two tasks that alternate, a second apart.

    python examples/scheduled.py                    # sends, at every tick
    ltq run examples.scheduled:worker               # runs what was sent

Or both in one process:

    ltq run examples.scheduled:worker --scheduler examples.scheduled:scheduler

Any number of schedulers may run: each tick is still sent once.
"""

import ltq

log = ltq.get_logger("scheduled")
worker = ltq.Worker("scheduled")
scheduler = ltq.Scheduler()


@worker.task
async def tick() -> None:
    """Run in even seconds."""
    log.info("tick of %s", ltq.current_message().scheduled_for)


@worker.task
async def tock(name: str) -> None:
    """Run in odd seconds."""
    log.info("tock of %s, says %s", ltq.current_message().scheduled_for, name)


# A sixth field is for seconds. With five, as in "*/5 * * * *", it is every five minutes.
scheduler.cron("* * * * * */2", tick.message())
scheduler.cron("* * * * * 1-59/2", tock.message("the pendulum"))

if __name__ == "__main__":
    scheduler.start()
