"""Fault switches: what can go wrong between a worker and its broker, on demand."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ltq_core.clock import uptime
from ltq_core.errors import BrokerUnavailableError
from ltq_core.task import Task
from ltq_core.testing.lives import current_life

if TYPE_CHECKING:
    from collections.abc import Callable

    from ltq_core.message import Message

Which = Task[Any, Any] | str | None
Kind = Literal["lose_ack", "kill_before", "kill_after", "deliver_twice"]


@dataclass(slots=True)
class _Switch:
    kind: Kind
    task: str | None
    left: int

    def __str__(self) -> str:
        return f"{self.kind}({self.task or 'any task'}), {self.left} more"


class Faults:
    """The fault switches of one `Harness`: each strikes the next messages that fit.

    *task* is a task, its name, or None for any; *times* is how many messages are struck.
    A worker that is killed is started again at once, as a supervisor would. What it held
    comes back when its lease ends, to be run once more.
    """

    def __init__(self) -> None:
        self._switches: list[_Switch] = []
        self._away_until = -math.inf
        self._on_away: list[Callable[[], None]] = []

    def kill_before(self, task: Which = None, *, times: int = 1) -> None:
        """Kill the worker, like ``kill -9``, when it has claimed a message of *task*."""
        self._arm("kill_before", task, times)

    def kill_after(self, task: Which = None, *, times: int = 1) -> None:
        """Kill the worker when a run of *task* has ended and the broker does not know yet."""
        self._arm("kill_after", task, times)

    async def kill_here(self) -> None:
        """Kill the worker that runs the calling task; never returns.

        ``finally`` blocks around the call still run: that cannot be helped in one process.

        Raises:
            RuntimeError: It is not called in a task that a harness runs.
        """
        life = current_life.get(None)
        if life is None:
            raise RuntimeError("kill_here() works only in a task that a harness runs.")
        life.kill()
        await asyncio.get_running_loop().create_future()

    def lose_ack(self, task: Which = None, *, times: int = 1) -> None:
        """Lose the ack of a run of *task*: its message runs again when the lease has ended."""
        self._arm("lose_ack", task, times)

    def deliver_twice(self, task: Which = None, *, times: int = 1) -> None:
        """Hand out a message of *task* a second time at once, while the first run goes on."""
        self._arm("deliver_twice", task, times)

    def away(self, seconds: float) -> None:
        """Have every call to the broker fail with `BrokerUnavailableError` for *seconds*."""
        self._away_until = uptime() + seconds
        for interrupt in self._on_away:
            interrupt()

    def on_away(self, interrupt: Callable[[], None]) -> None:
        """Have *interrupt* called when the broker goes away: for calls that wait."""
        self._on_away.append(interrupt)

    def check(self) -> None:
        """Raise `BrokerUnavailableError` while the broker is away."""
        if uptime() < self._away_until:
            raise BrokerUnavailableError("A fault switch keeps the broker away.")

    def strikes(self, kind: Kind, message: Message) -> bool:
        """Whether *message* is struck by a switch of this *kind*, which counts it."""
        for switch in self._switches:
            if switch.kind == kind and switch.task in (None, message.task_name):
                switch.left -= 1
                self._switches = [one for one in self._switches if one.left]
                return True
        return False

    def pending(self) -> list[str]:
        """The switches that have not struck as often as they should."""
        return [str(switch) for switch in self._switches]

    def _arm(self, kind: Kind, task: Which, times: int) -> None:
        name = task.name if isinstance(task, Task) else task
        self._switches.append(_Switch(kind, name, times))
