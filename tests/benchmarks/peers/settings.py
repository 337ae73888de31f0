"""What the harness tells every process it starts, by environment variable."""

import os

URL = os.environ.get("BENCH_REDIS_URL", "redis://127.0.0.1:6379")
EXPECTED = int(os.environ.get("BENCH_EXPECTED", "0"))
REPORT = os.environ.get("BENCH_REPORT", os.devnull)
TASK = os.environ.get("BENCH_TASK", "noop")
GATE = os.environ.get("BENCH_GATE")
QUEUE = os.environ.get("BENCH_QUEUE", "bench")
TASKS = int(os.environ.get("BENCH_TASKS", "4"))
UVLOOP = bool(os.environ.get("BENCH_UVLOOP"))
CONCURRENCY = 100
