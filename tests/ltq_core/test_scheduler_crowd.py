"""Many jobs that are due at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fake_ticks import SECOND, TickStore, living, message, on, reach, run_jumping
from ltq_core.scheduler.jobs import EveryJob
from ltq_core.scheduler.life import _CALLS

if TYPE_CHECKING:
    from datetime import datetime

    import pytest

JOBS = 500


def test_ticks_that_are_due_leave_before_further_ones_are_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = TickStore()
    sent_when_looking: list[int] = []
    original = EveryJob.next

    def look(job: EveryJob, after: datetime) -> datetime:
        sent_when_looking.append(len(store.messages))
        return original(job, after)

    async def main() -> None:
        scheduler = on(store)
        for number in range(JOBS):
            scheduler.every(SECOND, message(number))
        async with living(scheduler):
            await reach(1.5)

    monkeypatch.setattr(EveryJob, "next", look)
    run_jumping(main())

    assert len(store.messages) == JOBS
    after_the_start = [sent for sent in sent_when_looking if sent]
    assert len(after_the_start) == JOBS
    assert min(after_the_start) >= JOBS - _CALLS
