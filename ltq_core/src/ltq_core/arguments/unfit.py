"""What every part of this package raises when something cannot be carried."""

from __future__ import annotations


class UnfitError(ValueError):
    """An annotation or a value that cannot be carried.

    `Arguments` turns it into the error that its caller expects.

    Attributes:
        reason: Why; half a sentence that shows no argument's value.
        path: Where in the argument, like ``[3].price``.
    """

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = path

    def below(self, label: str) -> UnfitError:
        """The same, as seen from the whole whose part *label* it concerns."""
        self.path = label + self.path
        return self
