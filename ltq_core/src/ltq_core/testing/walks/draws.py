"""What a walk draws by lot: awkward values, names that a store takes for one, delays."""

from __future__ import annotations

import copy
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

from ltq_core.message import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

QUEUES = (
    *("a:?", "a:[bc]", "a:b", "a:B", "A:b", "a:b:c", "a:b ", "a:bc", "a:_", "a:%", "%", "a"),
    *("a:", "a:e", "a:é", "a:e\u0301", "a:*", "*", "a:b", "a/b", "a.b", "a:'b", "a:\\b"),
    *(198 * "a" + end for end in "12"),
    "漢:字",
)
"""What the queues of a walk may be called: neighbours, which are alike."""

IDS = (
    *("id", "ID", "Id", "id ", "i", "id:", "id*", "i_", "i%", "id/d", "'id'", '"id"', "\\id"),
    *("é", "e\u0301", "🦀", "1", "01", "1.0", "null", 120 * "i"),
)
"""How the ids of messages begin that wait at one time."""

KEYS = ("key", "Key", "key ", "ke", "k_y", "k%", "k:y", "", "é", "e\u0301", 199 * "k" + "1")
"""Unique keys, and the names of schedules' jobs."""

TEXTS = (
    *("", " ", "\x00", "\r\n", "'", '"', "\\", "%s {0} {{}}", "null", "1", "[]", "\u2028"),
    *("é", "e\u0301", "żółć 漢字 🦀", "ﬁ", 800 * "long "),
)
NUMBERS = (
    *(True, 1, 1.0, False, 0, 0.0, -0.0, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)),
    *(0.1, 1e308, 5e-324, 1e16, -1.5),
)
NESTED: tuple[Any, ...] = (
    *([], {}, [[]], [{}], {"": {}}, {"a": [], "A": {}, "é": 1, "e\u0301": 2}),
    *([True, 1, 1.0, [-0.0]], {"deep": [[[[[[{"": [None]}]]]]]]}, list(range(40))),
)
VALUES = (None, *TEXTS, *NUMBERS, *NESTED)

SOON = (0.005, 0.01, 0.05)
"""Seconds of delays that a walk waits for; the longest shows beside what clocks may differ."""

_LONG = (3600.0, 40 * 86_400.0)  # the second is more milliseconds than 31 bits count


class Draw(Random):
    """Chance, by a seed, that knows what is awkward."""

    def some(self, items: Sequence[T], most: int) -> list[T]:
        """One to *most* of *items*, in any order; none where there are none."""
        return self.sample(items, min(self.randint(1, most), len(items)))

    def one_in(self, turns: int) -> bool:
        """Whether it is the turn that comes once in so many."""
        return self.randrange(turns) == 0

    def value(self) -> Any:
        """Anything that JSON can say."""
        return copy.deepcopy(self.choice(VALUES))

    def values(self) -> dict[str, Any]:
        """A few named ones."""
        names = self.sample(["a", "A", "", "b c", "é", "$"], self.randint(0, 3))
        return {name: self.value() for name in names}

    def message(self, queue: str, number: int) -> Message:
        """A message for *queue*, whose id belongs to *number*."""
        lap, which = divmod(number, len(IDS))
        args = tuple(self.value() for _ in range(self.randint(0, 2)))
        ctx = {"created_at": 1.5, "own": self.value(), **self.values()}
        if self.one_in(8):
            ctx["rate_key"] = ctx["concurrency_key"] = self.choice(KEYS)
        return Message(args, self.values(), queue, ctx, f"{IDS[which]}{lap or ''}")

    def delay(self) -> float:
        """Seconds to wait: mostly none, else little, or more than a walk takes."""
        return self.choice((0, 0, 0, 0, -60.0, *SOON, *_LONG))
