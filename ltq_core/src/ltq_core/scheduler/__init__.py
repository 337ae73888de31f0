"""Cron lines, intervals and instants to messages."""

from ltq_core.scheduler.jobs import Job
from ltq_core.scheduler.schedule import Schedule
from ltq_core.scheduler.scheduler import Scheduler

__all__ = ["Job", "Schedule", "Scheduler"]
