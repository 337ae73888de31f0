"""The hooks as plugin authors read them."""

from __future__ import annotations

import inspect

import pytest

from ltq_core import hookspecs
from ltq_core.plugins.loading import HOOKS

SIGNATURES = {
    "ltq_register_brokers": "() -> 'Mapping[str, str | Callable[[str], Broker]] | None'",
    "ltq_register_middleware": "() -> 'Sequence[MiddlewareSpec] | None'",
    "ltq_register_commands": "() -> 'Mapping[str, str | Command] | None'",
    "ltq_worker_lifespan": ("(worker: 'Worker') -> 'AbstractAsyncContextManager[Any] | None'"),
}


def test_hooks_are_these_four_with_these_signatures() -> None:
    assert {
        name: str(inspect.signature(getattr(hookspecs, name))) for name in HOOKS
    } == SIGNATURES


@pytest.mark.parametrize("name", HOOKS)
@pytest.mark.parametrize(
    "heading", ["When it is called:", "Returns:", "How several answers combine:", "Example:"]
)
def test_hook_says_all_that_its_author_must_know(name: str, heading: str) -> None:
    assert heading in str(getattr(hookspecs, name).__doc__)
