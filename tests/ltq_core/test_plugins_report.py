"""What is installed, as ``ltq plugins list`` and a starting worker tell it."""

from __future__ import annotations

import logging

import pytest

from fake_site import FakeSite, answering, offering
from ltq_core import plugins
from ltq_core.errors import ConfigurationError, PluginError
from ltq_core.logger import get_logger
from ltq_core.plugins import PluginInfo

EVERYTHING = (
    offering("nats", "nats+tls")
    + answering("ltq_register_commands", "{'streams': 'm:c'}")
    + answering(
        "ltq_register_middleware",
        "[MiddlewareSpec('headers', 'm:M', options=('header', 'trace'))]",
    )
)


def test_plugin_is_described_by_what_it_offers(site: FakeSite) -> None:
    site.add("ltq-nats", {"nats": EVERYTHING})
    site.use()

    assert plugins.installed() == [
        PluginInfo(
            name="nats",
            distribution="ltq-nats",
            version="1.0",
            state="ok",
            error=None,
            schemes=("nats", "nats+tls"),
            middleware=("headers",),
            options=("header", "trace"),
            commands=("streams",),
        )
    ]


def test_worker_is_warned_in_one_line_for_each_plugin_that_cannot_be_used(
    site: FakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    site.add("ltq-bad", {"bad": "raise OSError('two\\nlines')"})
    site.add("ltq-good", {"good": offering("good")})
    site.add("ltq-off", {"off": ""})
    site.add("ltq-old", {"old": ""}, requires="ltq-core<0.1")
    site.use(disabled={"off": "a test"})

    with caplog.at_level(logging.WARNING):
        plugins.warn_broken(get_logger())

    assert [record.getMessage() for record in caplog.records] == [
        (
            "Plugin 'bad' from ltq-bad 1.0 could not be loaded: OSError: two\\nlines. "
            "Update it, or set LTQ_DISABLE_PLUGINS=bad."
        ),
        (
            "Plugin 'old' from ltq-old 1.0 needs ltq-core<0.1, but 0.1.0 is installed. "
            "Run: pip install --upgrade ltq-core ltq-old, or set LTQ_DISABLE_PLUGINS=old."
        ),
    ]


def test_what_two_plugins_claim_is_one_warning(
    site: FakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    site.add("ltq-one", {"one": offering("nats")})
    site.add("ltq-two", {"two": offering("nats")})
    site.use()

    with caplog.at_level(logging.WARNING):
        plugins.warn_broken(get_logger())

    (warning,) = caplog.messages
    assert warning.startswith("Scheme 'nats://' is offered by 'one' from ltq-one 1.0 and 'two'")


def test_worker_does_not_start_with_a_broken_plugin_where_plugins_are_strict(
    site: FakeSite,
) -> None:
    site.add("ltq-bad", {"bad": "1 / 0"})
    site.use(strict=True)

    with pytest.raises(PluginError, match="division by zero"):
        plugins.warn_broken(get_logger())


@pytest.mark.parametrize("name", ["nats", "NATS", "ltq_nats", "Ltq-Nats"])
def test_plugin_is_found_by_its_own_or_its_distributions_name(
    site: FakeSite, name: str
) -> None:
    site.add("ltq-nats", {"nats": ""})
    site.use()

    assert [plugin.name for plugin in plugins.plugins_named(name)] == ["nats"]


def test_unknown_plugin_is_an_error_that_suggests_the_nearest(site: FakeSite) -> None:
    site.add("ltq-nats", {"nats": ""})
    site.add("ltq-other", {"other": ""})
    site.use()

    with pytest.raises(ConfigurationError) as caught:
        plugins.plugins_named("nast")

    assert str(caught.value) == (
        "No plugin named 'nast' is installed (installed: nats, other). Did you mean 'nats'?"
    )
