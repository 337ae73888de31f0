"""Facts about which keys are one."""

from __future__ import annotations

from ltq_core.testing.lab import OTHER, Lab, label, message
from ltq_core.testing.suite import fact
from ltq_core.testing.unique_publish.keys import SIMILAR, Keyed


class ComparingFacts(Keyed):
    """Keys are compared whole, and each queue has its own."""

    @fact
    async def test_keys_are_apart(self, lab: Lab) -> None:
        """Another key, and the same key in another queue, are free."""
        await self.send(lab.broker, message("a"))
        await self.send(lab.broker, message("b"), key="another")
        await self.send(lab.broker, message("c", OTHER))

        assert (await lab.rest(), await lab.rest(OTHER)) == (["a", "b"], ["c"])

    @fact
    async def test_similar_keys_are_different(self, lab: Lab) -> None:
        """Keys are compared whole, sign by sign."""
        sent = [message(key) for key in SIMILAR]
        standing = [await self.send(lab.broker, each, key=label(each)) for each in sent]

        assert standing == [each.id for each in sent]

    @fact
    async def test_empty_key_is_a_key(self, lab: Lab) -> None:
        """A key without a sign is held and released like any other."""
        first, second, third = message("a"), message("b"), message("c")
        standing = [await self.send(lab.broker, each, key="") for each in (first, second)]
        await lab.take(1)
        standing.append(await self.send(lab.broker, third, key=""))

        assert standing == [first.id, first.id, third.id]

    @fact
    async def test_key_is_no_part_of_a_name(self, lab: Lab) -> None:
        """A key is not mistaken for one of another queue whose name ends as it begins."""
        for sign in " -_/.|#":
            first, second = message("a", "some:task"), message("b", f"some:task{sign}key")

            assert await self.send(lab.broker, first, f"key{sign}{sign}") == first.id
            assert await self.send(lab.broker, second, sign) == second.id
