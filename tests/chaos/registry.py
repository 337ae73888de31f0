"""The scenarios by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stage import Stage

Play = Callable[["Stage"], Awaitable[None]]

MODULES = (
    "deaths",
    "leases",
    "shutdown",
    "connections",
    "outages",
    "payloads",
    "raises",
    "clocks",
    "load",
    "sending",
    "limits",
    "pauses",
    "schedules",
    "once",
    "tries",
)


@dataclass(frozen=True)
class Scenario:
    """What is done to LTQ, and which promise it must keep.

    Attributes:
        short: Whether it belongs to the short set.
    """

    name: str
    promise: str
    play: Play
    short: bool

    @property
    def summary(self) -> str:
        """One line on what is done."""
        return (self.play.__doc__ or "").partition("\n")[0]


SCENARIOS: dict[str, Scenario] = {}


def scenario(promise: str, *, short: bool = True) -> Callable[[Play], Play]:
    """Register a function as a scenario, named like it with dashes.

    Args:
        promise: The promises of LTQ that it puts to the test, such as ``R1``.
        short: Whether it belongs to the short set.
    """

    def register(play: Play) -> Play:
        name = play.__name__.replace("_", "-")
        SCENARIOS[name] = Scenario(name, promise, play, short)
        return play

    return register


def load() -> None:
    """Register all scenarios."""
    for module in MODULES:
        import_module(f"scenarios.{module}")
