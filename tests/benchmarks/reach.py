"""What LTQ should reach, measured against what the others did in the same run."""

from collections.abc import Sequence
from dataclasses import dataclass

from catalog import PEERS
from table import Results, aligned, number

_OURS = "ltq"
_GROUPS = {
    "best peer": [peer.name for peer in PEERS.values() if peer.is_rival],
    "best async peer": [
        peer.name for peer in PEERS.values() if peer.is_rival and peer.is_async
    ],
}


@dataclass(frozen=True)
class Goal:
    """One line of the reach.

    Attributes:
        figure: The figure that counts, `work.name`.
        bound: How many times the reference, at least; at most where *lower* is better.
        against: A group of peers, one peer, or nothing: the bound is then the figure.
    """

    title: str
    figure: str
    bound: float
    against: str = ""
    lower: bool = False


GOALS = (
    Goal("drain no-ops", "drain.rate", 8, "best peer"),
    Goal("drain no-ops", "drain.rate", 0.5, "bare loop"),
    Goal("drain 10 ms sleeps, ideal 10,000", "sleep.rate", 8_000),
    Goal("send 100 at once", "send.at_once", 3, "best async peer"),
    Goal("send in bulk", "send.bulk", 5, "best async peer"),
    Goal("send one by one", "send.one_by_one", 1.5, "best async peer"),
    Goal("send to start, p50 ms", "latency.p50", 1, "taskiq-list", lower=True),
    Goal("send to start, p99 ms", "latency.p99", 1, "taskiq-list", lower=True),
    Goal("idle, 50 tasks: commands/s", "idle.commands_50", 1, lower=True),
    Goal("idle, 50 tasks: CPU %", "idle.cpu_50", 0.5, lower=True),
    Goal("bytes of a waiting message", "memory.bytes", 260, lower=True),
    Goal("rate kept before a big backlog", "backlog.kept", 0.9),
    Goal("two processes, times one", "two.gain", 1.7),
)


def reach_table(results: Results) -> str:
    """Return the goals that this run measured, each with what was reached, if any."""
    header = ["Reach", _OURS, "against", "", "ratio", "wanted", "reached"]
    rows = [row for goal in GOALS if (row := _row(results, goal))]
    return aligned([header, *rows]) if rows else ""


def _row(results: Results, goal: Goal) -> list[str] | None:
    figure = results.median(_OURS, goal.figure)
    name, reference = _reference(results, goal)
    if figure is None or reference is None:
        return None
    ratio = figure / reference
    reached = ratio <= goal.bound if goal.lower else ratio >= goal.bound
    wanted = f"{'<=' if goal.lower else '>='} {goal.bound:g}"
    against = [name, number(reference), number(ratio)] if goal.against else ["", "", ""]
    return [goal.title, number(figure), *against, wanted, "yes" if reached else "NO"]


def _reference(results: Results, goal: Goal) -> tuple[str, float | None]:
    if not goal.against:
        return "", 1.0
    measured = _measured(results, _GROUPS.get(goal.against, [goal.against]), goal.figure)
    if not measured:
        return "", None
    figure, name = min(measured) if goal.lower else max(measured)
    return name, figure


def _measured(results: Results, peers: Sequence[str], figure: str) -> list[tuple[float, str]]:
    medians = ((results.median(peer, figure), peer) for peer in peers)
    return [(median, peer) for median, peer in medians if median is not None]
