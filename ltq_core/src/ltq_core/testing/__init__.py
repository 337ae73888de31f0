"""Tools for testing brokers, middleware and tasks.

Nothing is imported before it is used: a process that imports this module for one tool
does not pay for the others.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ltq_core.testing.broker import BrokerConformance as BrokerConformance
    from ltq_core.testing.dead_letters import DeadLettersConformance as DeadLettersConformance
    from ltq_core.testing.faults import Faults as Faults
    from ltq_core.testing.harness import Harness as Harness
    from ltq_core.testing.inspection import InspectionConformance as InspectionConformance
    from ltq_core.testing.live_workers import LiveWorkersConformance as LiveWorkersConformance
    from ltq_core.testing.middleware import MiddlewareConformance as MiddlewareConformance
    from ltq_core.testing.outages import OutageConformance as OutageConformance
    from ltq_core.testing.pause import PauseConformance as PauseConformance
    from ltq_core.testing.peers import Peer as Peer
    from ltq_core.testing.processes import ProcessConformance as ProcessConformance
    from ltq_core.testing.record import Report as Report
    from ltq_core.testing.record import Sent as Sent
    from ltq_core.testing.record import TaskRun as TaskRun
    from ltq_core.testing.shared_limits import (
        SharedLimitsConformance as SharedLimitsConformance,
    )
    from ltq_core.testing.ticks import TicksConformance as TicksConformance
    from ltq_core.testing.unique_publish import (
        UniquePublishConformance as UniquePublishConformance,
    )
    from ltq_core.testing.virtual import VirtualClock as VirtualClock
    from ltq_core.testing.virtual import run_virtual as run_virtual
    from ltq_core.testing.virtual import virtual_time as virtual_time
    from ltq_core.testing.waiting import wait_until as wait_until

_HOMES = {
    "BrokerConformance": "broker",
    "ProcessConformance": "processes",
    "OutageConformance": "outages",
    "SharedLimitsConformance": "shared_limits",
    "DeadLettersConformance": "dead_letters",
    "UniquePublishConformance": "unique_publish",
    "TicksConformance": "ticks",
    "InspectionConformance": "inspection",
    "LiveWorkersConformance": "live_workers",
    "PauseConformance": "pause",
    "MiddlewareConformance": "middleware",
    "Peer": "peers",
    "wait_until": "waiting",
    "Harness": "harness",
    "Report": "record",
    "Sent": "record",
    "TaskRun": "record",
    "Faults": "faults",
    "VirtualClock": "virtual",
    "run_virtual": "virtual",
    "virtual_time": "virtual",
}
"""Where each public name lives."""

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
