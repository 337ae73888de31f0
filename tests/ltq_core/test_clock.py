"""What time it is."""

from __future__ import annotations

import threading
import time

import pytest

from ltq_core.clock import follow, now, uptime, virtual_clock


class Stopped:
    """A clock that always shows the same."""

    def time(self) -> float:
        return 7.0

    def wall_time(self) -> float:
        return 1000.0

    def hold(self) -> None:
        raise NotImplementedError

    def release(self) -> None:
        raise NotImplementedError


@pytest.fixture
def stopped():
    clock = Stopped()
    former = follow(clock)
    yield clock
    follow(former)


def test_time_is_the_machines():
    before = time.time(), time.monotonic()
    shown = now(), uptime()
    after = time.time(), time.monotonic()

    assert virtual_clock() is None
    assert before <= shown <= after
    assert before[1] <= shown[1] <= after[1]


def test_time_is_that_of_the_clock_that_is_followed(stopped: Stopped):
    assert virtual_clock() is stopped
    assert (now(), uptime()) == (1000.0, 7.0)


def test_clock_is_followed_in_every_thread(stopped: Stopped):
    shown: list[float] = []
    thread = threading.Thread(target=lambda: shown.append(now()))
    thread.start()
    thread.join()

    assert shown == [1000.0]


def test_follow_returns_the_clock_that_was_followed_before(stopped: Stopped):
    assert follow(None) is stopped
    assert follow(stopped) is None
