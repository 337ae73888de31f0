"""What someone probably meant by a name that nothing has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Of *known* names the one most like *name*; None where none is.

    Args:
        name: As it was written.
        known: What it may have meant.
        cutoff: How alike the two must be, from 0 to 1. The default is difflib's.
    """
    from difflib import get_close_matches  # at import, each start would pay for it

    return next(iter(get_close_matches(name, known, n=1, cutoff=cutoff)), None)


def did_you_mean(name: str, known: Collection[str], otherwise: str = "") -> str:
    """The sentence that ends the error for *name*, which none of *known* is.

    Args:
        name: As it was written. It is not shown.
        known: What it may have meant.
        otherwise: What to say where no known name is near; left out, they are all listed.
    """
    near = nearest(name, known)
    return f"Did you mean '{near}'?" if near else otherwise or f"Known are: {', '.join(known)}."
