"""What a scheduler sends when its broker was away."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import pytest

from fake_ticks import (
    MINUTE,
    SECOND,
    START,
    TickStore,
    each,
    living,
    message,
    on,
    reach,
    run_jumping,
)
from ltq_core.errors import BrokerUnavailableError


@pytest.mark.parametrize("missed", ["latest", "skip", "all"])
def test_ticks_of_an_outage_are_sent_when_it_ends(missed: str) -> None:
    async def main(store: TickStore) -> None:
        async with living(each(SECOND, store, missed), each(SECOND, store, missed)):
            await reach(2.5)
            store.away = True
            await reach(12.5)
            store.away = False
            await reach(15.5)

    run_jumping(main(store := TickStore()))

    assert store.sent == list(range(1, 16))
    assert max(store.lateness) < 10 + 1.1


def test_a_long_outage_owes_a_thousand_ticks_a_job(caplog: pytest.LogCaptureFixture) -> None:
    async def main(store: TickStore) -> None:
        async with living(each(SECOND, store)):
            await reach(2.5)
            store.away = True
            await reach(5000.5)
            store.away = False
            await reach(5004.5)

    run_jumping(main(store := TickStore()))

    assert store.sent[:2] == [1, 2]
    assert store.sent[2:] == list(range(int(store.sent[2]), 5005))
    assert 998 <= len([tick for tick in store.sent if 2 < tick <= 5000]) <= 1000
    assert "only its latest 1000 ticks are sent" in caplog.text


def test_an_outage_costs_one_warning_line_an_attempt(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)

    async def main(store: TickStore) -> None:
        scheduler = on(store)
        for n in range(50):
            scheduler.every(MINUTE, message(n))
        async with living(scheduler):
            await reach(1)
            store.away = True
            await reach(50)
            store.away = False
            await reach(61)

    run_jumping(main(store := TickStore()))

    # From the first look that failed, after 10 s, about one in 0.5 to 1 s.
    assert 35 <= len(caplog.records) <= 90
    assert len(store.messages) == 50


def test_one_that_starts_in_an_outage_takes_no_tick_from_one_that_lives() -> None:
    async def main(store: TickStore) -> None:
        async with living(each(SECOND, store, "skip")):
            await reach(2.5)
            store.away = True
            await reach(10.5)
            async with living(each(SECOND, store, "skip")):
                await reach(12.5)
                store.away = False
                await reach(20.5)

    for _ in range(10):  # their pauses are random
        run_jumping(main(store := TickStore()))

        assert store.sent == list(range(1, 21))


@pytest.mark.parametrize("missed", ["latest", "skip"])
def test_one_that_starts_takes_no_tick_from_one_that_is_late(missed: str) -> None:
    interval = timedelta(milliseconds=100)

    async def main(store: TickStore) -> None:
        late = on(store, latency=0.15)
        late.every(interval, message(), missed=missed)  # type: ignore[arg-type]
        async with living(late):
            await reach(5.05)
            async with living(each(interval, store, missed)):
                await reach(10.05)

    run_jumping(main(store := TickStore()))

    assert store.sent == pytest.approx([n / 10 for n in range(1, 101)])


def test_ticks_since_a_start_in_an_outage_are_sent() -> None:
    async def main(store: TickStore) -> None:
        store.away = True
        async with living(each(SECOND, store, "skip")):
            await reach(5.5)
            store.away = False
            await reach(10.5)

    run_jumping(main(store := TickStore()))

    assert store.sent == list(range(1, 11))


def test_a_broker_that_stays_away_ends_the_start_after_its_timeout() -> None:
    async def main(store: TickStore) -> None:
        store.away = True
        with pytest.raises(BrokerUnavailableError, match="stayed away for 3 s"):
            await each(SECOND, store).run(connect_timeout=3)

        assert asyncio.get_running_loop().time() == pytest.approx(3.1)

    run_jumping(main(TickStore()))


def test_a_job_that_is_refused_leaves_the_others_alone() -> None:
    async def main(store: TickStore) -> None:
        scheduler = on(store)
        scheduler.every(SECOND, message(task="mail:refused"))
        scheduler.every(SECOND, message())
        scheduler.broker.refuses.add("mail:refused")  # type: ignore[attr-defined]
        async with living(scheduler):
            await reach(10.5)

    run_jumping(main(store := TickStore()))

    others = [
        m.ctx["scheduled_for"] - START for m in store.messages if m.task_name == "mail:digest"
    ]
    assert others == list(range(1, 11))


def test_a_flushed_store_changes_nothing() -> None:
    async def main(store: TickStore) -> None:
        async with living(each(SECOND, store, "all"), each(SECOND, store, "all")):
            await reach(3.5)
            store.ticks.clear()
            await reach(6.5)

    run_jumping(main(store := TickStore()))

    assert store.sent == [1, 2, 3, 4, 5, 6]
