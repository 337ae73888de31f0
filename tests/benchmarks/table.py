"""Figures to text: one table for each kind of work, and the one of the reach."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Layout:
    """How one kind of work is shown: a title, and a heading for each figure."""

    title: str
    columns: Mapping[str, str]


_RATES = {
    "rate": "tasks/s",
    "rate_with_start": "with start-up",
    "worker_cpu": "worker CPU %",
    "redis_cpu": "Redis CPU %",
}
LAYOUTS: Mapping[str, Layout] = {
    "drain": Layout(
        "Drain no-ops: one worker process, concurrency 100",
        {**_RATES, "rss": "RSS after, MB"},
    ),
    "sleep": Layout(
        "Drain sleeps of 10 ms: one worker process, concurrency 100",
        _RATES,
    ),
    "send": Layout(
        "Send, messages/s",
        {"one_by_one": "one by one", "at_once": "100 at once", "bulk": "bulk of 1,000"},
    ),
    "latency": Layout("Send to start, idle worker", {"p50": "p50 ms", "p99": "p99 ms"}),
    "idle": Layout(
        "Idle worker",
        {
            "commands_1": "1 task: cmd/s",
            "all_commands_1": "inside Lua too",
            "cpu_1": "CPU %",
            "commands_50": "50 tasks: cmd/s",
            "all_commands_50": "inside Lua too",
            "cpu_50": "CPU %",
        },
    ),
    "memory": Layout("Redis memory of a waiting message", {"bytes": "bytes"}),
    "startup": Layout(
        "Start-up",
        {"first_task": "first task, ms", "import": "import, ms", "rss": "RSS, MB"},
    ),
    "backlog": Layout(
        "Drain before a backlog, tasks/s",
        {"small": "small one", "big": "big one", "kept": "kept"},
    ),
    "two": Layout(
        "Two worker processes on two queues, tasks/s",
        {"one": "one", "both": "two", "gain": "gain"},
    ),
}


@dataclass
class Results:
    """All figures of a run: by peer, then by `work.figure`; and what failed."""

    figures: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    failures: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, peer: str, work: str, figures: Mapping[str, float]) -> None:
        """Add one round's figures."""
        kept = self.figures.setdefault(peer, {})
        for name, figure in figures.items():
            kept.setdefault(f"{work}.{name}", []).append(figure)

    def fail(self, peer: str, work: str, reason: str) -> None:
        """Note that *work* failed."""
        self.failures.setdefault(peer, {})[work] = reason

    def median(self, peer: str, figure: str) -> float | None:
        """The median of the rounds, or None where there is none."""
        values = self.figures.get(peer, {}).get(figure)
        return statistics.median(values) if values else None

    def medians(self) -> dict[str, dict[str, float]]:
        """Every median: by peer, then by `work.figure`."""
        return {
            peer: {name: statistics.median(values) for name, values in figures.items()}
            for peer, figures in self.figures.items()
        }


def work_table(results: Results, work: str, peers: Iterable[str]) -> str:
    """Return the table of one kind of work: a line for each peer, and for each failure."""
    layout = LAYOUTS[work]
    rows = [["", *layout.columns.values()]]
    failed = []
    for peer in peers:
        cells = [results.median(peer, f"{work}.{name}") for name in layout.columns]
        if any(cell is not None for cell in cells):
            rows.append([peer, *map(number, cells)])
        if reason := results.failures.get(peer, {}).get(work):
            failed.append(f"{peer}  failed: {reason}")
    return "\n".join([layout.title, aligned(rows), *failed])


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return *rows* as text: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_line(row, widths) for row in rows)


def number(value: float | None) -> str:
    """Return *value* with about three digits that count; a dash for None."""
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    head, *rest = row
    cells = [text.rjust(width) for text, width in zip(rest, widths[1:], strict=True)]
    return "  ".join([head.ljust(widths[0]), *cells]).rstrip()
