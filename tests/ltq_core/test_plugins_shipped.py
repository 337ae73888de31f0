"""The plugins that LTQ itself ships: what they offer, and that listing them is cheap."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from ltq_core import plugins
from ltq_core.plugins.schemes import PACKAGES
from ltq_sentry.plugin import is_set_up

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENTS = {"redis", "sentry_sdk", "croniter", "rich", "ltq_redis.broker", "ltq_memory.broker"}


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    plugins.reset()
    yield
    plugins.reset()


@pytest.mark.parametrize(
    ("name", "distribution", "middleware"),
    [
        ("limits", "ltq-core", ("max-tries", "max-age", "max-rate", "max-concurrency")),
        ("memory", "ltq-memory", ()),
        ("redis", "ltq-redis", ()),
        ("sentry", "ltq-sentry", ("sentry",)),
    ],
)
def test_shipped_plugin_is_sound(
    name: str, distribution: str, middleware: tuple[str, ...]
) -> None:
    (info,) = [one for one in plugins.installed() if one.name == name]

    assert (info.distribution, info.state, info.error) == (distribution, "ok", None)
    assert info.middleware == middleware


def test_every_scheme_that_has_a_package_to_install_is_offered_by_it() -> None:
    offered = {
        scheme: info.distribution for info in plugins.installed() for scheme in info.schemes
    }

    assert offered == PACKAGES


def test_default_stack_is_ordered_by_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SENTRY_DSN", raising=False)

    assert [type(one).__name__ for one in plugins.default_middlewares()] == [
        "MaxTries",
        "MaxAge",
        "MaxConcurrency",
        "MaxRate",
    ]


def test_listing_what_is_installed_imports_no_client_library() -> None:
    code = f"""
import json, sys
from ltq_core.plugins import installed, middleware_specs
assert all(one.state == "ok" for one in installed()), installed()
middleware_specs()
print(json.dumps(sorted({CLIENTS} & sys.modules.keys())))
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert json.loads(result.stdout) == []


@pytest.mark.parametrize(
    ("dsn", "initialized", "joins"),
    [
        ("", None, False),
        ("https://key@host/1", None, True),
        ("", False, False),
        ("", True, True),
    ],
)
def test_sentry_joins_the_default_stack_where_it_is_set_up(
    monkeypatch: pytest.MonkeyPatch, dsn: str, initialized: bool | None, joins: bool
) -> None:
    sdk = SimpleNamespace(is_initialized=lambda: initialized)
    monkeypatch.setitem(sys.modules, "sentry_sdk", None if initialized is None else sdk)
    monkeypatch.setenv("SENTRY_DSN", dsn)

    assert is_set_up() is joins
