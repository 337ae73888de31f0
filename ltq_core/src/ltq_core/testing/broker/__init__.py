"""The whole `Broker` contract as tests; one module for each kind of fact."""

from __future__ import annotations

from ltq_core.testing.broker.batches import BatchFacts
from ltq_core.testing.broker.cancellation import CancellationFacts
from ltq_core.testing.broker.fencing import FencingFacts
from ltq_core.testing.broker.holding import HoldingFacts
from ltq_core.testing.broker.leases import LeaseFacts
from ltq_core.testing.broker.loops import LoopFacts
from ltq_core.testing.broker.order import OrderFacts
from ltq_core.testing.broker.payloads import PayloadFacts
from ltq_core.testing.broker.publishing import PublishFacts
from ltq_core.testing.broker.queues import QueueFacts
from ltq_core.testing.broker.resources import ResourceFacts
from ltq_core.testing.broker.settling import SettlingFacts
from ltq_core.testing.broker.setup import SetupFacts
from ltq_core.testing.broker.takeovers import TakeoverFacts
from ltq_core.testing.broker.waking import WakingFacts
from ltq_core.testing.walks.facts import CallWalks


class BrokerConformance(
    PublishFacts,
    OrderFacts,
    SettlingFacts,
    LeaseFacts,
    HoldingFacts,
    TakeoverFacts,
    FencingFacts,
    BatchFacts,
    CancellationFacts,
    LoopFacts,
    ResourceFacts,
    PayloadFacts,
    QueueFacts,
    WakingFacts,
    CallWalks,
    SetupFacts,  # pytest begins with the last
):
    """What every broker promises. Subclass it with one fixture: see `Conformance`."""
