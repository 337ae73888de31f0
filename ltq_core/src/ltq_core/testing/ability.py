"""What the conformance classes of the abilities share."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar, cast

from ltq_core.testing.suite import Conformance, fact

if TYPE_CHECKING:
    from ltq_core.broker import Broker
    from ltq_core.testing.lab import Lab

A = TypeVar("A")


class AbilityConformance(Conformance, Generic[A]):
    """The base of the classes that prove one ability."""

    ability: ClassVar[type]

    def of(self, broker: Broker) -> A:
        """*broker* as one that has the ability; fails if it has not."""
        assert isinstance(broker, self.ability), (
            f"{type(broker).__name__} lacks methods of {self.ability.__name__}"
        )
        return cast("A", broker)

    @fact
    async def test_ability_is_found(self, lab: Lab) -> None:
        """``isinstance`` finds the ability: the broker has all its methods."""
        self.of(lab.broker)
