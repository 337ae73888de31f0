"""What a scheduler sends, and when, on a loop whose time jumps."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from fake_ticks import (
    HOUR,
    MINUTE,
    SECOND,
    START,
    TickStore,
    each,
    instant,
    living,
    message,
    on,
    reach,
    run_jumping,
)

# Time


def test_each_tick_is_sent_once_and_at_its_time() -> None:
    async def main(store: TickStore) -> None:
        async with living(each(SECOND, store)):
            await reach(5.5)

    run_jumping(main(store := TickStore()))

    assert store.sent == [1, 2, 3, 4, 5]
    assert all(0 <= late <= 0.002 for late in store.lateness)


def test_cron_lines_and_intervals_keep_time_side_by_side() -> None:
    async def main(store: TickStore) -> None:
        scheduler = on(store)
        scheduler.cron("* * * * * */20", message("cron"))
        scheduler.every(timedelta(seconds=15), message("every"))
        scheduler.at(instant(50), message("at"))
        async with living(scheduler):
            await reach(61)

    run_jumping(main(store := TickStore()))

    by_kind = {
        kind: [
            t
            for t, sent in zip(store.sent, store.messages, strict=True)
            if sent.args == (kind,)
        ]
        for kind in ("cron", "every", "at")
    }
    assert by_kind == {"cron": [20, 40, 60], "every": [15, 30, 45, 60], "at": [50]}


@pytest.mark.parametrize("ahead", [-120.0, 120.0])
def test_the_time_is_the_stores(ahead: float) -> None:
    async def main(store: TickStore) -> None:
        store.ahead += ahead
        async with living(each(MINUTE, store)):
            await reach(130)

    run_jumping(main(store := TickStore()))

    assert store.sent == [ahead + 60, ahead + 120]
    assert all(0 <= late <= 0.002 for late in store.lateness)
    assert [m.ctx["created_at"] - START for m in store.messages] == pytest.approx(
        store.sent, abs=0.002
    )


@pytest.mark.parametrize(("poll_interval", "looks"), [(10.0, 361), (600.0, 7)])
def test_between_ticks_it_only_looks_at_the_clock(poll_interval: float, looks: int) -> None:
    async def main(store: TickStore) -> None:
        scheduler = on(store, poll_interval)
        for n in range(50):
            scheduler.every(HOUR, message(n))
        async with living(scheduler):
            await reach(3601)

    run_jumping(main(store := TickStore()))

    assert len(store.messages) == 50
    assert len(store.looks) <= looks
    assert (
        max(b - a for a, b in zip(store.looks, store.looks[1:], strict=False))
        <= poll_interval + 0.01
    )


def test_a_slow_answer_makes_no_tick_early_or_late() -> None:
    async def main(store: TickStore) -> None:
        scheduler = each(SECOND, store)
        async with living(scheduler):
            await reach(1.5)
            scheduler.broker.latency = 0.9  # type: ignore[attr-defined]
            await reach(11.5)  # it has looked by then
            scheduler.broker.latency = 0.001  # type: ignore[attr-defined]
            await reach(20)

    run_jumping(main(store := TickStore()))

    after = [late for late, tick in zip(store.lateness, store.sent, strict=True) if tick > 12]
    assert len(after) == 7
    assert all(0 <= late <= 0.002 for late in after)


def test_ticks_of_a_clock_set_forward_are_sent_when_it_is_seen() -> None:
    async def main(store: TickStore) -> None:
        async with living(each(MINUTE, store)):
            await reach(30)
            store.ahead += 300  # as after a suspend, which stops the local clock
            await reach(41)

    run_jumping(main(store := TickStore()))

    assert store.sent == [60, 120, 180, 240, 300]


def test_a_clock_set_back_sends_nothing_twice() -> None:
    async def main(store: TickStore) -> None:
        async with living(each(MINUTE, store)):
            await reach(130)
            store.ahead -= 90
            await reach(280)

    run_jumping(main(store := TickStore()))

    assert store.sent == [60, 120, 180]


# Many schedulers


def test_identical_schedulers_send_each_tick_once() -> None:
    async def main(store: TickStore) -> None:
        first, second, third = (each(SECOND, store) for _ in range(3))
        async with living(first):
            await reach(1.9995)  # moments apart, around a tick
            async with living(second):
                await reach(2.0005)
                async with living(third):
                    await reach(10.5)

    run_jumping(main(store := TickStore()))

    assert store.sent == list(range(1, 11))
    assert len({message.id for message in store.messages}) == 10


@pytest.mark.parametrize("kill_at", range(1, 40))
def test_one_killed_at_any_await_costs_no_tick(kill_at: int) -> None:
    async def main(store: TickStore) -> None:
        awaits = iter(range(1, 1000))
        victim = on(store, at_await=lambda: lives.cancel() if next(awaits) == kill_at else None)
        victim.every(SECOND, message(), missed="skip")
        async with living(each(SECOND, store, "skip")):
            lives = victim.start_background()
            await reach(20.5)
            assert lives.cancelled()

    run_jumping(main(store := TickStore()))

    assert store.sent == list(range(1, 21))


@pytest.mark.parametrize("kill_at", range(6, 40))
def test_a_successor_goes_on_where_one_was_killed(kill_at: int) -> None:
    async def main(store: TickStore) -> None:
        awaits = iter(range(1, 1000))
        victim = on(store, at_await=lambda: lives.cancel() if next(awaits) == kill_at else None)
        victim.every(SECOND, message(), missed="all")
        lives = victim.start_background()
        await reach(20.5)
        assert lives.cancelled()
        async with living(each(SECOND, store, "all")):
            await reach(25.5)

    run_jumping(main(store := TickStore()))

    assert store.sent == list(range(1, 26))


# Missed ticks


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        ("latest", [1, 2, 6, 7, 8]),
        ("skip", [1, 2, 7, 8]),
        ("all", [1, 2, 3, 4, 5, 6, 7, 8]),
    ],
)
def test_missed_decides_on_time_when_no_scheduler_lived(
    missed: str, expected: list[int]
) -> None:
    async def main(store: TickStore) -> None:
        async with living(each(SECOND, store, missed)):
            await reach(2.5)
        await reach(6.5)
        async with living(each(SECOND, store, missed)):
            await reach(8.5)

    run_jumping(main(store := TickStore()))

    assert store.sent == expected


def test_a_scheduler_can_be_started_again() -> None:
    async def main(store: TickStore) -> None:
        scheduler = each(SECOND, store, "all")
        for end in (2.5, 4.5):
            async with living(scheduler):
                await reach(end)

    run_jumping(main(store := TickStore()))

    assert store.sent == [1, 2, 3, 4]


def test_at_in_the_past_is_sent_at_once_and_only_once() -> None:
    async def main(store: TickStore) -> None:
        for _ in range(3):
            scheduler = on(store)
            scheduler.at(instant(-3600), message())
            async with living(scheduler):
                await reach(asyncio.get_running_loop().time() + 1)

    run_jumping(main(store := TickStore()))

    assert store.sent == [-3600]
    assert store.published_at[0] - START < 0.11


def test_at_of_one_name_is_sent_once_whatever_its_time() -> None:
    async def main(store: TickStore) -> None:
        for seconds in (5.0, -10.0, 15.0, 30.0):
            scheduler = on(store)
            scheduler.at(instant(seconds), message(), name="once")
            async with living(scheduler):
                await reach(asyncio.get_running_loop().time() + 6)

    run_jumping(main(store := TickStore()))

    assert store.sent == [5]


def test_at_of_one_name_declared_twice_at_once_is_sent_once() -> None:
    async def main(store: TickStore) -> None:
        first, second = on(store), on(store)
        first.at(instant(-2), message(), name="once")
        second.at(instant(-1), message(), name="once")
        async with living(first, second):
            await reach(5)

    run_jumping(main(store := TickStore()))

    assert store.sent == [-2]


def test_at_whose_time_passes_without_a_scheduler_is_sent_by_the_next() -> None:
    async def main(store: TickStore) -> None:
        for start, end in ((0.0, 1.0), (10.0, 11.0)):
            scheduler = on(store)
            scheduler.at(instant(5), message())
            await reach(start)
            async with living(scheduler):
                await reach(end)

    run_jumping(main(store := TickStore()))

    assert store.sent == [5]


# Many jobs


def test_five_hundred_jobs_of_one_second_leave_together() -> None:
    async def main(store: TickStore) -> int:
        scheduler = on(store)
        for n in range(500):
            scheduler.every(SECOND, message(n))
        async with living(scheduler):
            await reach(3.5)
        return scheduler.broker.most_calls  # type: ignore[attr-defined, no-any-return]

    most_calls = run_jumping(main(store := TickStore()))

    assert len(store.messages) == 1500
    assert max(store.lateness) < 0.01
    assert most_calls <= 100


def test_one_that_catches_up_does_not_hold_up_the_others() -> None:
    async def main(store: TickStore) -> None:
        scheduler = on(store)
        scheduler.every(timedelta(milliseconds=100), message(), name="fast")
        scheduler.every(SECOND, message(task="mail:other"))
        store.ticks["mail:digest", "fast"] = START - 86400
        scheduler.jobs[0].missed = "all"
        async with living(scheduler):
            await reach(3.5)

    run_jumping(main(store := TickStore()))

    fast = [
        t
        for t, m in zip(store.sent, store.messages, strict=True)
        if m.task_name == "mail:digest"
    ]
    assert fast == sorted(fast)
    assert len(fast) >= 1000
    other = [
        late
        for late, m in zip(store.lateness, store.messages, strict=True)
        if m.task_name != "mail:digest"
    ]
    assert len(other) == 3
    assert max(other) < 0.01
