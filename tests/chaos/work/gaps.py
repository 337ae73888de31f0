"""Jobs of a tick a second that differ in what becomes of missed ones, and one of one tick."""

from __future__ import annotations

from datetime import UTC, datetime

import tasks

import ltq

MISSED = ("all", "latest", "skip")

_tick = tasks.worker.tasks["chaos:tick"]
scheduler = ltq.Scheduler()
for missed in MISSED:
    scheduler.cron("* * * * * *", _tick.message(missed), name=missed, missed=missed)
scheduler.at(datetime.fromtimestamp(0, UTC), _tick.message("once"))
