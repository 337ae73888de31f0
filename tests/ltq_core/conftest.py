"""Fixtures of the core's tests."""

import pytest

from fake_site import site

__all__ = ["site"]


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may look at a narrow one: nothing is folded for it."""
    monkeypatch.delenv("COLUMNS", raising=False)
