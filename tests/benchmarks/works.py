"""The kinds of work. Each takes a stage and sizes, and returns figures by name."""

import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from stage import Run, Stage

_SETTLE = 2.0
_DROPPED_STAMPS = 10
_MEGABYTE = 1_000_000
_SLOWEST = 600.0

Figures = dict[str, float]


@dataclass(frozen=True)
class Sizes:
    """How much of each work is done."""

    drain: int = 20_000
    sleep: int = 5_000
    send: int = 10_000
    stamps: int = 300
    idle_seconds: float = 10.0
    memory: int = 10_000
    small_backlog: int = 5_000
    big_backlog: int = 1_000_000
    two: int = 40_000


QUICK = Sizes(
    drain=2_000,
    sleep=500,
    send=1_000,
    stamps=50,
    idle_seconds=3.0,
    memory=2_000,
    small_backlog=1_000,
    big_backlog=50_000,
    two=5_000,
)


def drain(stage: Stage, sizes: Sizes) -> Figures:
    """Run no-op tasks that wait in the queue."""
    with stage.filled("noop", sizes.drain) as run:
        return {**_rates(stage, run, sizes.drain), "rss": run.process.rss() / _MEGABYTE}


def sleep(stage: Stage, sizes: Sizes) -> Figures:
    """Run waiting tasks that sleep for 10 ms."""
    with stage.filled("nap", sizes.sleep) as run:
        return _rates(stage, run, sizes.sleep)


def send(stage: Stage, sizes: Sizes) -> Figures:
    """Send one by one, 100 at once, in bulk."""
    return stage.produce("send", "noop", sizes.send)


def latency(stage: Stage, sizes: Sizes) -> Figures:
    """Time from a send to the start of its task on an idle worker, in milliseconds."""
    sent = sizes.stamps + _DROPPED_STAMPS
    with stage.worker(expected=sent) as run:
        _settle(stage, run)
        stage.produce("stamp", "stamp", sent)
        delays = run.wait_for("delays")["delays"][_DROPPED_STAMPS:]
    cuts = statistics.quantiles(delays, n=100, method="inclusive")
    return {"p50": cuts[49] * 1000, "p99": cuts[98] * 1000}


def idle(stage: Stage, sizes: Sizes) -> Figures:
    """What a worker costs that has nothing to do, with 1 task and with 50."""
    return {
        f"{name}_{tasks}": figure
        for tasks in (1, 50)
        for name, figure in _idle(stage, tasks, sizes.idle_seconds).items()
    }


def memory(stage: Stage, sizes: Sizes) -> Figures:
    """Bytes of Redis' memory for one waiting message with two short strings."""
    stage.produce("fill", "pair", sizes.memory)  # what the server keeps but once
    stage.server.flush()
    before = stage.server.used_memory()
    stage.produce("fill", "pair", sizes.memory)
    return {"bytes": (stage.server.used_memory() - before) / sizes.memory}


def startup(stage: Stage, sizes: Sizes) -> Figures:
    """Time from the start of the process to its first task; import time; memory."""
    with stage.filled("noop", 1) as run:
        first = run.wait_for("began")["at"] - run.process.started_at
        time.sleep(_SETTLE)
        rss = run.process.rss() / _MEGABYTE
    return {"first_task": first * 1000, "import": _import_time(stage), "rss": rss}


def backlog(stage: Stage, sizes: Sizes) -> Figures:
    """The rate before a big backlog against that before a small one."""
    small = _backlog_rate(stage, sizes, sizes.small_backlog)
    stage.server.flush()
    big = _backlog_rate(stage, sizes, sizes.big_backlog)
    return {"small": small, "big": big, "kept": big / small}


def two(stage: Stage, sizes: Sizes) -> Figures:
    """Two worker processes on a queue each, against one."""
    one = _gated_rate(stage, sizes.two, ["bench"])
    stage.server.flush()
    both = _gated_rate(stage, sizes.two, ["bench", "bench2"])
    return {"one": one, "both": both, "gain": both / one}


Work = Callable[[Stage, Sizes], Figures]
WORKS: dict[str, Work] = {
    work.__name__: work
    for work in (drain, sleep, send, latency, idle, memory, startup, backlog, two)
}
BASELINE_WORKS = ("drain", "sleep")
OUR_WORKS = ("backlog", "two")


def _rates(stage: Stage, run: Run, count: int) -> Figures:
    began = run.wait_for("began")["at"]
    worker, redis = run.process.cpu_seconds(), stage.server.cpu_seconds()
    ended = run.wait_for("ran", timeout=_SLOWEST)["at"]
    worker, redis = run.process.cpu_seconds() - worker, stage.server.cpu_seconds() - redis
    return {
        "rate": count / (ended - began),
        "rate_with_start": count / (ended - run.process.started_at),
        "worker_cpu": 100 * worker / (ended - began),
        "redis_cpu": 100 * redis / (ended - began),
    }


def _settle(stage: Stage, run: Run) -> None:
    stage.produce("fill", "noop", 1)
    run.wait_for("began")
    time.sleep(_SETTLE)


def _idle(stage: Stage, tasks: int, seconds: float) -> Figures:
    with stage.worker(expected=1, BENCH_TASKS=tasks) as run:
        _settle(stage, run)
        begin, cpu = time.monotonic(), run.process.cpu_seconds()
        with stage.server.monitored() as senders:
            time.sleep(seconds)
        spent = time.monotonic() - begin
        cpu = run.process.cpu_seconds() - cpu
    return {
        "commands": sum(sender != "lua" for sender in senders) / spent,
        "all_commands": len(senders) / spent,
        "cpu": 100 * cpu / spent,
    }


def _import_time(stage: Stage) -> float:
    code = (
        "from time import perf_counter; begin = perf_counter();"
        f"{stage.peer.imports}; print(perf_counter() - begin)"
    )
    seconds: float = statistics.median(
        float(stage.run("-c", code).split()[-1]) for _ in range(3)
    )
    return 1000 * seconds


def _backlog_rate(stage: Stage, sizes: Sizes, left: int) -> float:
    stage.produce("fill", "noop", sizes.drain + left)
    with stage.worker(expected=sizes.drain) as run:
        return _rates(stage, run, sizes.drain)["rate"]


def _gated_rate(stage: Stage, count: int, queues: list[str]) -> float:
    """Drain all *queues* at once; no worker begins before every one stands ready."""
    gate = stage.scratch / f"gate-{len(queues)}-{time.monotonic_ns()}"
    for queue in queues:
        stage.produce("fill", "noop", count, BENCH_QUEUE=queue)
    with ExitStack() as stack:
        runs = [
            stack.enter_context(stage.worker(count, BENCH_QUEUE=queue, BENCH_GATE=gate))
            for queue in queues
        ]
        for run in runs:
            run.wait_for("waiting")
        opened = time.time()
        gate.touch()
        done = max(run.wait_for("ran", timeout=_SLOWEST)["at"] for run in runs)
    took: float = done - opened
    return count * len(queues) / took
