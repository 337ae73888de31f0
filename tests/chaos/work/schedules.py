"""A tick a second."""

import tasks

import ltq

scheduler = ltq.Scheduler()
scheduler.cron("* * * * * *", tasks.worker.tasks["chaos:tick"].message("second"))
