"""Rate slots are evenly spaced, whenever they are asked for."""

from __future__ import annotations

import math

import pytest

from ltq_core.abilities import QueueLimits, Rate
from ltq_memory.limits import Limiter
from ltq_memory.lines import Entry

TEN_A_SECOND = QueueLimits(Rate(0.1))
ENTRY = Entry(b"", 0.0)


def starts(limiter: Limiter, limits: QueueLimits, asked_at: list[float]) -> list[float]:
    """At which of these times a start was allowed, with somebody waiting all the time."""
    allowed = []
    for now in asked_at:
        if limiter.opens_at(limits, None) <= now:
            limiter.start(limits, ENTRY, now)
            allowed.append(now)
        limiter.refused(limits, None, now)
    return allowed


def test_slots_are_evenly_spaced() -> None:
    """Of many who ask, one an interval may start."""
    asked = [1000 + tick / 100 for tick in range(100)]

    assert len(starts(Limiter(), TEN_A_SECOND, asked)) == 10


def test_late_timers_cost_no_slots() -> None:
    """A waiter that always wakes a little too late keeps the rate."""
    late = [1000 + number * 0.1 + 0.001 + number % 3 * 0.005 for number in range(1, 101)]

    assert len(starts(Limiter(), TEN_A_SECOND, [1000.0, *late])) == 101


def test_pause_gives_no_credit_without_burst() -> None:
    """After a pause, the next two starts are an interval apart."""
    limiter = Limiter()
    limiter.start(TEN_A_SECOND, ENTRY, 1000.0)
    limiter.start(TEN_A_SECOND, ENTRY, 1010.0)

    assert limiter.opens_at(TEN_A_SECOND, None) == pytest.approx(1010.1)


def test_burst_is_a_credit_after_a_pause() -> None:
    """After a pause, as many as *burst* may start at once; then one an interval."""
    limits = QueueLimits(Rate(0.1, burst=3))
    asked = [1000.0] * 5 + [1000.1, 1000.2]

    assert starts(Limiter(), limits, asked) == [1000.0] * 3 + [1000.1, 1000.2]


def test_full_queue_opens_when_one_ends() -> None:
    """At the limit of concurrency only the end of a run makes room."""
    limiter, limits = Limiter(), QueueLimits(concurrency=1)
    limiter.start(limits, ENTRY, 1000.0)
    full = limiter.opens_at(limits, None)
    limiter.end(ENTRY)

    assert (full, limiter.opens_at(limits, None)) == (math.inf, 0.0)


def test_keyed_limit_holds_back_no_other_key() -> None:
    """A keyed limit says nothing of the queue as a whole."""
    limits = QueueLimits(Rate(0.1), 1, rate_keyed=True, concurrency_keyed=True)
    limiter = Limiter()
    first, other = Entry(b"", 0, rate_key="a", concurrency_key="a"), Entry(b"", 0)
    limiter.start(limits, first, 1000.0)

    assert limiter.opens_at(limits, first) == math.inf
    assert limiter.opens_at(limits, other) == limiter.opens_at(limits, None) == 0.0


def test_slots_of_past_keys_are_forgotten() -> None:
    """A million users with a limit each do not stay in memory."""
    limits = QueueLimits(Rate(0.1), rate_keyed=True)
    limiter = Limiter()
    for number in range(20_000):
        entry = Entry(b"", 0, rate_key=f"{number}")
        limiter.start(limits, entry, 1000.0 + number)
        limiter.end(entry)

    assert len(limiter._slots) < 3000


def test_limiter_is_idle_when_its_last_slot_has_passed() -> None:
    """What a queue must remember of its rate ends with the last slot."""
    limiter = Limiter()
    limiter.start(TEN_A_SECOND, ENTRY, 1000.0)
    limiter.end(ENTRY)

    assert (limiter.idle(1000.05), limiter.idle(1000.1)) == (False, True)
