"""Five hundred jobs, all due at each second."""

from __future__ import annotations

import tasks

import ltq

JOBS = 500

scheduler = ltq.Scheduler()
for number in range(JOBS):
    message = tasks.worker.tasks["chaos:tick"].message(f"job-{number}")
    scheduler.cron("* * * * * *", message)
