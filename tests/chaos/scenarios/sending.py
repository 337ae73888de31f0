"""R16: an argument that cannot be stored fails at `send`."""

from __future__ import annotations

import datetime as dt
import decimal
import fractions
import math
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry import scenario
from report import some

from ltq_core import EncodeError

if TYPE_CHECKING:
    from stage import Stage


class Opaque:
    """Something that JSON does not know."""


class TextKind(str):
    """A text that is more than a text."""

    __slots__ = ()


def _deep(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def _endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


ODD: list[Any] = [
    None, True, 0, -1, 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1, 2**64, 10**400, 0.1, -0.0,
    5e-324, 1.7976931348623157e308, math.inf, -math.inf, math.nan, [math.nan], {"a": math.inf},
    "", "\0", "\x7f\x1b[2J\r\n", "\u2028", "😀", "\ud800", ["\udfff"], {"\ud800": 1},
    "x" * 2_000_000, b"bytes", bytearray(b"x"), memoryview(b"x"), (1, 2), [(1, 2)], {1, 2},
    frozenset(), {1: 2}, {None: 1}, {(1, 2): 3}, {True: 1}, {"1": 1, 1: 2}, {}, [], [[], {}],
    dt.datetime.fromisoformat("2026-01-01"), dt.datetime.now(dt.UTC), dt.date.max,
    dt.time(1), dt.timedelta(1), decimal.Decimal("0.10"), fractions.Fraction(1, 3),
    uuid.UUID(int=1), Path("a"), 1j, Opaque(), Opaque, len, ..., TextKind("a"), [Opaque()],
    _deep(50), _deep(900), _deep(100_000), _endless(), ValueError("a"), range(3), sys,
    {"a": {"b": [1, {"c": None}]}}, float("1e22"), "NaN", '{"$date": 1}', "null", 1e16,
]  # fmt: skip
"""Arguments of a parameter without an annotation worth its name."""


@scenario("R16")
async def odd_arguments(stage: Stage) -> None:
    """Every odd argument raises at `send`, with nothing stored, or arrives equal."""
    await stage.redis()
    sent: dict[str, Any] = {}
    refused = 0
    for value in ODD:
        [key] = stage.new_keys(1)
        if await _sends(stage, key, value):
            sent[key] = value
            stage.accepted.append(key)
        else:
            refused += 1
    stage.report.expect(
        len(stage.store.waiting("echo")) == len(sent), "a refused one was stored"
    )
    stage.run()
    await stage.finish()
    arrived = _arrived(stage)
    wrong = [_short(sent[key]) for key in sent if arrived.get(key) != _shown(sent[key])]
    stage.report.note(f"{refused} of {len(ODD)} refused")
    stage.report.expect(not wrong, f"arrived as something else: {some(wrong)}")


async def _sends(stage: Stage, key: str, value: Any) -> bool:
    try:
        await stage.tasks["echo"].send(key, value)
    except EncodeError:
        return False
    except BaseException as error:
        stage.report.expect(False, f"{_short(value)} raised {type(error).__name__}")
        return False
    return True


def _arrived(stage: Stage) -> dict[str, str]:
    notes = [line.key for line in stage.tally.lines if line.event == "arrived"]
    texts = [bytes.fromhex(note).decode("unicode_escape") for note in notes]
    return {key: shown for key, _, shown in (text.partition("=") for text in texts)}


def _shown(value: Any) -> str:
    # Of all that may change on the way, LTQ documents one thing for such a parameter: a
    # tuple arrives as a list.
    return repr(_without_tuples(value))


def _without_tuples(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_without_tuples(one) for one in value]
    if isinstance(value, dict):
        return {key: _without_tuples(one) for key, one in value.items()}
    return value


def _short(value: Any) -> str:
    try:
        return repr(value)[:40]
    except (RecursionError, ValueError):
        return f"a {type(value).__name__}"
