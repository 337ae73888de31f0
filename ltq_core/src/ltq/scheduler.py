"""`Scheduler`: cron lines to messages."""

from ltq_core.scheduler import Schedule, Scheduler

__all__ = ["Schedule", "Scheduler"]
