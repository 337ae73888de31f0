"""What the core has itself, and plugins that claim it."""

from __future__ import annotations

import logging

import pytest

from fake_site import FakeSite, answering, offering
from ltq_core import plugins
from ltq_core.errors import PluginError
from ltq_core.limits.max_age import MaxAge
from ltq_core.logger import get_logger

LIMITS = answering(
    "ltq_register_middleware",
    "[MiddlewareSpec('max-age', 'ltq_core:MaxAge', 'guard', True, ('max_age',))]",
)
"""As the core offers one of its limits."""

REMEDY = ", which stands. Update it, or set LTQ_DISABLE_PLUGINS=claim."


def claim(site: FakeSite, name: str, source: str, *, strict: bool = False) -> None:
    """Beside the core's own limits, install a plugin *name* with *source*."""
    site.add("ltq-core", {"limits": LIMITS})
    site.add("ltq-claim", {name: source})
    site.use(strict=strict)


def foreign() -> plugins.PluginInfo:
    (found,) = (one for one in plugins.installed() if one.distribution == "ltq-claim")
    return found


def middleware(*arguments: str) -> str:
    listed = ", ".join(f"MiddlewareSpec({one})" for one in arguments)
    return answering("ltq_register_middleware", f"[{listed}]")


CLAIMS = [
    (middleware("'max-age', 'm:M', default=True"), "middleware 'max-age'"),
    (
        middleware("'mine', 'm:M', default=True, options=('max_age',)"),
        "task option 'max_age'",
    ),
    (answering("ltq_register_commands", "{'run': 'm:c'}"), "command 'run'"),
]


@pytest.mark.parametrize(("source", "what"), CLAIMS)
def test_what_the_core_has_stands_and_the_plugin_is_in_conflict(
    site: FakeSite, source: str, what: str
) -> None:
    claim(site, "claim", source)

    assert foreign().state == "conflict"
    assert foreign().error == (
        f"Plugin 'claim' from ltq-claim 1.0 cannot replace the core's {what}{REMEDY}"
    )
    assert [type(one) for one in plugins.default_middlewares()] == [MaxAge]
    assert plugins.find_option("max_age") is MaxAge
    assert not plugins.commands()
    assert [one.state for one in plugins.installed() if one.name == "limits"] == ["ok"]


def test_plugin_with_a_name_of_the_cores_is_not_used_and_the_cores_is(site: FakeSite) -> None:
    claim(site, "limits", offering("claimed"))

    assert foreign().state == "conflict"
    assert foreign().error == (
        "Plugin 'limits' from ltq-claim 1.0 has the name of the core's own, which stands, so "
        "it is not used. Update it, or set LTQ_DISABLE_PLUGINS=ltq-claim."
    )
    assert plugins.find_option("max_age") is MaxAge


def test_plugin_that_claims_one_name_of_the_cores_serves_with_its_others(
    site: FakeSite,
) -> None:
    specs = middleware("'max-age', 'm:M'", "'other', 'm:N', options=('other',)")
    commands = answering("ltq_register_commands", "{'run': 'm:c', 'walk': 'm:d'}")
    claim(site, "claim", offering("claimed") + specs + commands)

    assert foreign().schemes == ("claimed",)
    assert foreign().middleware == ("other",)
    assert foreign().options == ("other",)
    assert list(plugins.commands()) == ["walk"]


def test_names_are_free_where_the_cores_own_are_disabled(site: FakeSite) -> None:
    site.add("ltq-core", {"limits": LIMITS})
    site.add("ltq-claim", {"limits": LIMITS})
    site.use(disabled={"ltq-core": "a test"})

    assert foreign().state == "ok"
    assert plugins.option_names() == ["max_age"]


@pytest.mark.parametrize("source", [source for source, _ in CLAIMS])
def test_claim_on_what_the_core_has_is_one_warning(
    site: FakeSite, source: str, caplog: pytest.LogCaptureFixture
) -> None:
    claim(site, "claim", source)

    with caplog.at_level(logging.WARNING):
        plugins.warn_broken(get_logger())

    assert caplog.messages == [foreign().error]


@pytest.mark.parametrize("source", [source for source, _ in CLAIMS])
def test_claim_on_what_the_core_has_is_an_error_where_plugins_are_strict(
    site: FakeSite, source: str
) -> None:
    claim(site, "claim", source, strict=True)

    with pytest.raises(PluginError, match="which stands"):
        plugins.commands()
