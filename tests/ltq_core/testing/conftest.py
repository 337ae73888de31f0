"""How the kit itself is proved: run one of its facts with a wrong broker, and see it fail."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from ltq_core.testing import cancelling, fairness
from ltq_core.testing.suite import Conformance
from ltq_memory.lines import Entry

if TYPE_CHECKING:
    from ltq_memory.broker import MemoryBroker

Check = Callable[[type[Conformance], type[Any]], None]


@pytest.fixture
def assert_caught(monkeypatch: pytest.MonkeyPatch) -> Check:
    """Run the fact that a wrong broker names as ``caught_by``, and see it fail.

    The fact fails as facts do, unless the broker names another exception as
    ``fails_with``: what its fault raises in its user's face.
    """

    monkeypatch.setattr(cancelling, "STUBBORN", 0.5)
    monkeypatch.setattr(fairness, "SERVED", 0.5)

    def check(suite: type[Conformance], wrong: type[Any]) -> None:
        expected = getattr(wrong, "fails_with", AssertionError)
        with pytest.raises((expected, pytest.fail.Exception)):
            run_fact(suite, wrong.caught_by, wrong)

    return check


def run_fact(suite: type[Conformance], fact: str, broker: type[MemoryBroker]) -> None:
    """Run one fact with a fresh store, in a hurry: what is wrong need not be waited for."""
    url = f"memory://{uuid.uuid4().hex}?lease=0.3&dead_letters=150"

    async def make() -> MemoryBroker:
        return broker(url)

    class Hurried(suite):  # type: ignore[misc, valid-type]
        lease, patience = 0.3, 1.0
        most = 150  # of DeadLettersConformance

        async def put_raw(self, broker: MemoryBroker, queue: str, data: bytes) -> None:
            with broker.store.lend(queue) as lent:
                broker.store.put(lent, [Entry(data, due=0)])

        async def leftovers(self) -> list[str]:
            return list(broker(url).store._queues)

    getattr(Hurried(), fact)(make)
