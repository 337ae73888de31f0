"""Facts about what the conformance class itself was given, before anything else is asked."""

from __future__ import annotations

from ltq_core.testing.lab import QUEUE, Lab, label
from ltq_core.testing.suite import Conformance, fact


class SetupFacts(Conformance):
    """Without these, what fails elsewhere says nothing about the broker."""

    @fact
    async def test_store_is_empty_at_first(self, lab: Lab) -> None:
        """make_broker belongs to a store of this test's own: no other one's messages wait."""
        assert await lab.broker.size(QUEUE) == 0

    @fact
    async def test_connections_meet_at_one_store(self, lab: Lab) -> None:
        """What one connection of make_broker publishes, another one hands out."""
        await lab.publish("a", broker=await lab.connect())

        assert await lab.broker.size(QUEUE) == 1, "each connection has a store of its own"
        assert label(await lab.consume()) == "a"

    @fact
    async def test_lease_is_what_the_class_says(self, lab: Lab) -> None:
        """The broker's attribute ``lease``, if there is one, is that of the class."""
        assert getattr(lab.broker, "lease", None) in (None, lab.lease)
