"""What serves the default `consume_many`; what it does is in `test_broker`."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from fake_site import SoundBroker
from ltq_core import prefetch
from ltq_core.lifeline import PerLoop
from ltq_core.prefetch import Prefetch, prefetch_of

if TYPE_CHECKING:
    import pytest


def test_threads_that_claim_first_at_one_moment_share_what_they_claim(
    monkeypatch: pytest.MonkeyPatch,
):
    both = threading.Barrier(2, timeout=10)

    class MadeAtOnce(PerLoop[Prefetch]):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            both.wait()

    monkeypatch.setattr(prefetch, "PerLoop", MadeAtOnce)
    broker = SoundBroker("")
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(prefetch_of, [broker, broker])

    assert first is second
