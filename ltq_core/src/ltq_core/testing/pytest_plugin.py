"""LTQ's pytest plugin: light, so that it costs nothing where it is not used."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ltq_core.testing.harness import Harness
    from ltq_core.testing.virtual import VirtualClock

pytest.register_assert_rewrite("ltq_core.testing")


@pytest.fixture
def ltq_clock() -> Iterator[VirtualClock]:
    """A `ltq_core.testing.VirtualClock` that all of LTQ goes by during the test.

    For plain tests: ``ltq_clock.run(…)`` runs what must be awaited.
    """
    from ltq_core.testing.virtual import VirtualClock

    with VirtualClock() as clock:
        yield clock


@pytest.fixture
def ltq_harness() -> Iterator[Callable[..., Harness]]:
    """Makes a `ltq_core.testing.Harness`, which ends with the test.

    Call it with what the `Harness` shall take: workers, apps and schedulers.
    """
    from ltq_core.testing.harness import Harness

    with ExitStack() as exits:
        yield lambda *parts, **settings: exits.enter_context(Harness(*parts, **settings))
