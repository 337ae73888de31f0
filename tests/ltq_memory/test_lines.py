"""A line keeps its entries in order, and those of one key behind each other."""

from __future__ import annotations

import math

from ltq_memory.lines import Entry, Line

NOW = 1000.0


def line_of(*entries: Entry) -> Line:
    line = Line()
    for entry in entries:
        line.push(entry)
    return line


def entry(name: str, due: float = NOW, key: str | None = None) -> Entry:
    return Entry(name.encode(), due, concurrency_key=key)


def taken(line: Line, full: tuple[str, ...] = ()) -> str:
    """The names of all that may go now, where the keys *full* are full."""
    names = b""
    while found := line.take(
        NOW, lambda entry: math.inf if entry.concurrency_key in full else 0.0
    ):
        names += found.raw
    return names.decode()


def test_entries_go_by_due_time_then_by_place() -> None:
    """The earlier due time goes first; among equals, the one that came first."""
    line = line_of(entry("c"), entry("a", NOW - 1), entry("d"), entry("b", NOW - 1))

    assert taken(line) == "abcd"


def test_entry_that_is_not_due_stays() -> None:
    """A delayed entry is not taken, and its time is known."""
    line = line_of(entry("late", NOW + 5))

    assert (taken(line), line.next_at()) == ("", NOW + 5)


def test_entry_keeps_its_place_when_it_comes_back() -> None:
    """An entry that is pushed again unchanged stands where it stood."""
    first, second = entry("a"), entry("b")
    line = line_of(first, second)
    line.take(NOW, lambda entry: 0.0)
    line.push(first)

    assert taken(line) == "ab"


def test_full_key_holds_up_no_other() -> None:
    """Entries of a full key are passed over, in order."""
    line = line_of(entry("a", key="x"), entry("b", key="x"), entry("c", key="y"), entry("d"))

    assert taken(line, full=("x",)) == "cd"
    assert line.next_at() == math.inf


def test_unparked_key_goes_on_in_order() -> None:
    """When a full key has room again, its entries go in their order, new ones behind."""
    line = line_of(entry("a", key="x"), entry("b", key="x"))
    taken(line, full=("x",))
    line.push(entry("c", key="x"))
    line.unpark("x")

    assert taken(line) == "abc"


def test_entry_ahead_of_a_parked_one_waits_with_it() -> None:
    """An earlier entry of a full key does not slip through."""
    line = line_of(entry("b", key="x"))
    taken(line, full=("x",))
    line.push(entry("a", NOW - 1, key="x"))
    parked = line.next_at()
    line.unpark("x")

    assert (parked, taken(line)) == (math.inf, "ab")


def test_held_up_lane_is_asked_again_at_its_time() -> None:
    """A lane that may go later is due then, and not before."""
    line = line_of(entry("a"), entry("b"))
    refused = line.take(NOW, lambda entry: NOW + 3)

    assert (refused, line.next_at()) == (None, NOW + 3)
    assert line.take(NOW + 3, lambda entry: 0.0) is not None


def test_first_looks_without_taking() -> None:
    """The next entries can be seen, across keys."""
    line = line_of(entry("b", key="x"), entry("a", NOW - 1), entry("c", NOW + 1))

    assert b"".join(each.raw for each in line.first(2)) == b"ab"
    assert taken(line) == "ab"
