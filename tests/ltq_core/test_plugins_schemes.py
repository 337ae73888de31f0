"""From a URL to its broker, or to the one sentence that says what to do."""

from __future__ import annotations

import re
import traceback
from typing import TYPE_CHECKING

import pytest

from fake_site import FakeSite, SoundBroker, answering, offering
from ltq_core import plugins
from ltq_core.abilities import Pause, Ticks
from ltq_core.broker import Broker
from ltq_core.errors import (
    BrokerUnavailableError,
    ConfigurationError,
    PluginError,
    UnknownSchemeError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

UNKNOWN = {
    "unknown": (
        "nats://host",
        ["memory", "redis"],
        (
            "No broker is installed for 'nats://' (installed: memory, redis). "
            "Look for a package named like ltq-nats."
        ),
    ),
    "a variant of an unknown one": (
        "nats+tls://host",
        ["memory"],
        (
            "No broker is installed for 'nats+tls://' (installed: memory). "
            "Look for a package named like ltq-nats."
        ),
    ),
    "a near miss": (
        "reddis://user:secret@host",
        ["memory", "redis"],
        (
            "No broker is installed for 'reddis://' (installed: memory, redis). "
            "Did you mean 'redis://'?"
        ),
    ),
    "a near miss of one that is not installed": (
        "reddis://host",
        ["memory"],
        (
            "No broker is installed for 'reddis://' (installed: memory). "
            "Did you mean 'redis://'? Run: pip install ltq-redis."
        ),
    ),
    "known but not installed": (
        "rediss+sentinel://user:secret@host",
        ["memory"],
        (
            "No broker is installed for 'rediss+sentinel://' (installed: memory). "
            "Run: pip install ltq-redis."
        ),
    ),
    "known, and nothing installed": (
        "memory://",
        [],
        (
            "No broker is installed for 'memory://' (installed: none). "
            "Run: pip install ltq-memory."
        ),
    ),
    "unknown, and nothing installed": (
        "nats://host",
        [],
        (
            "No broker is installed for 'nats://' (installed: none). "
            "Look for a package named like ltq-nats, or run: pip install ltq-redis."
        ),
    ),
    "no scheme": (
        "localhost:6379",
        ["redis"],
        "A broker URL starts with a scheme, as in 'redis://localhost:6379'; this one has none.",
    ),
    "no scheme, and a password": (
        "user:secret@host:6379",
        ["redis"],
        "A broker URL starts with a scheme, as in 'redis://***@host:6379'; this one has none.",
    ),
    "a slash too few, and a password": (
        "redis:/user:se/cr@et@host",
        ["redis"],
        "A broker URL starts with a scheme, as in 'redis://***@host'; this one has none.",
    ),
    "an empty URL": (
        "",
        ["redis"],
        "A broker URL starts with a scheme, as in 'redis://localhost:6379'; this one is empty.",
    ),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_scheme_without_a_broker_says_what_to_do(site: FakeSite, case: str) -> None:
    url, installed, sentence = UNKNOWN[case]
    for scheme in installed:
        site.add(f"acme-{scheme}", {f"acme-{scheme}": offering(scheme)})
    site.use()

    with pytest.raises(UnknownSchemeError) as caught:
        plugins.broker_from_url(url)

    assert str(caught.value) == sentence


def test_scheme_that_no_name_points_to_names_the_plugins_that_may_offer_it(
    site: FakeSite,
) -> None:
    site.add("acme", {"acme": "1 / 0"})
    site.add("ltq-memory", {"memory": offering("memory")})
    site.use()

    with pytest.raises(UnknownSchemeError, match=r"memory; plugins not in use: acme\)\. Look"):
        plugins.broker_from_url("nats://host")


def test_unknown_scheme_error_is_a_value_error() -> None:
    assert issubclass(UnknownSchemeError, ValueError)


@pytest.mark.parametrize(
    ("distribution", "name"), [("ltq-nats", "whatever"), ("whatever", "nats")]
)
def test_scheme_of_a_broken_plugin_says_why(
    site: FakeSite, distribution: str, name: str
) -> None:
    site.add(distribution, {name: "import nats_client_that_is_missing"})
    site.use()

    with pytest.raises(PluginError) as caught:
        plugins.broker_from_url("nats://user:secret@host")

    assert str(caught.value) == (
        f"Plugin '{name}' from {distribution} 1.0 could not be loaded: No module named "
        f"'nats_client_that_is_missing'. Reinstall it, or set LTQ_DISABLE_PLUGINS={name}."
    )


def test_scheme_of_an_incompatible_plugin_says_what_it_needs(site: FakeSite) -> None:
    site.add("ltq-nats", {"nats": offering("nats")}, requires="ltq-core>=5")
    site.use()

    with pytest.raises(PluginError, match=r"needs ltq-core>=5, but 0\.1\.0 is installed"):
        plugins.broker_from_url("nats://host")


def test_scheme_of_a_disabled_plugin_says_who_disabled_it(site: FakeSite) -> None:
    site.add("ltq-redis", {"redis": offering("redis", "rediss")})
    site.use(disabled={"redis": "LTQ_DISABLE_PLUGINS"})

    with pytest.raises(UnknownSchemeError) as caught:
        plugins.broker_from_url("rediss://host")

    assert str(caught.value) == (
        "No broker for 'rediss://': Plugin 'redis' from ltq-redis 1.0 is disabled by "
        "LTQ_DISABLE_PLUGINS. Leave that out to use it."
    )


def test_scheme_that_two_plugins_claim_names_both_and_how_to_choose(site: FakeSite) -> None:
    site.add("ltq-one", {"one": offering("nats")})
    site.add("ltq-two", {"two": offering("nats")})
    site.use()

    with pytest.raises(PluginError) as caught:
        plugins.broker_from_url("nats://host")

    assert str(caught.value) == (
        "Scheme 'nats://' is offered by 'one' from ltq-one 1.0 and 'two' from ltq-two 1.0. "
        "Choose one: set LTQ_DISABLE_PLUGINS=one or LTQ_DISABLE_PLUGINS=two, "
        "or give ltq -p no:one."
    )


def test_disabling_one_of_two_claimants_lets_the_other_serve(site: FakeSite) -> None:
    site.add("ltq-one", {"one": offering("nats", target="missing:Broker")})
    site.add("ltq-two", {"two": offering("nats")})
    site.use(disabled={"one": "a test"})

    assert isinstance(plugins.broker_from_url("nats://host"), SoundBroker)


def test_broker_is_called_with_the_whole_url(site: FakeSite) -> None:
    site.add("ltq-nats", {"nats": offering("nats")})
    site.use()

    broker = Broker.from_url("NATS://user:p@host/1?lease=5")

    assert isinstance(broker, SoundBroker)
    assert broker.url == "NATS://user:p@host/1?lease=5"


def test_factory_may_be_a_callable(site: FakeSite) -> None:
    answer = "{'nats': lambda url: __import__('fake_site').SoundBroker(url)}"
    site.add("ltq-nats", {"nats": answering("ltq_register_brokers", answer)})
    site.use()

    assert isinstance(plugins.broker_from_url("nats://host"), SoundBroker)


@pytest.mark.parametrize(
    ("target", "fault"),
    [
        ("missing_client:Broker", "No module named 'missing_client'. Reinstall"),
        ("fake_site:Missing", "'fake_site' has no 'Missing'. Reinstall"),
        ("fake_site:__doc__", "it is neither class nor function. Update"),
        ("builtins:str", "it made a str, not a Broker. Update"),
        ("builtins:id", "it made an int, not a Broker. Update"),
    ],
)
def test_broker_that_cannot_be_made_names_its_plugin(
    site: FakeSite, target: str, fault: str
) -> None:
    site.add("ltq-nats", {"nats": offering("nats", target=target)})
    site.use()

    with pytest.raises(PluginError) as caught:
        plugins.broker_from_url("nats://user:secret@host")

    assert str(caught.value) == (
        f"Broker 'nats://' of plugin 'nats' from ltq-nats 1.0 could not be loaded: {fault} it, "
        "or set LTQ_DISABLE_PLUGINS=nats."
    )


def test_broker_module_that_ends_the_process_is_an_error_of_its_plugin(site: FakeSite) -> None:
    (site.root / "nats_quits.py").write_text("raise SystemExit(1)")
    site.add("ltq-nats", {"nats": offering("nats", target="nats_quits:Broker")})
    site.use()

    with pytest.raises(PluginError, match="SystemExit: 1"):
        plugins.broker_from_url("nats://host")


class Refusal(BrokerUnavailableError):
    """A broker's own kind of error."""


def failing(error: BaseException) -> Callable[[str], Broker]:
    """What raises *error* instead of making a broker."""

    def fail(url: str) -> Broker:
        raise error

    return fail


def refuse(url: str) -> Broker:
    raise ValueError(f"bad port in {url}")


def test_url_that_a_broker_refuses_is_the_users_error_without_the_password(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fake_site.refuse", refuse, raising=False)
    site.add("ltq-nats", {"nats": offering("nats", target="fake_site:refuse")})
    site.use()

    with pytest.raises(ConfigurationError) as caught:
        plugins.broker_from_url("nats://user:secret@host:port")

    assert str(caught.value) == (
        "'nats://user:***@host:port' is no URL for 'nats' from ltq-nats 1.0: "
        "ValueError: bad port in nats://user:***@host:port. Correct the URL; in a password, "
        "write '/', '?', '#' and '@' as %2F, %3F, %23 and %40."
    )


SECRET_URL = "nats://me:se/cret@host"

RAISED = {
    "an error": (RuntimeError(f"no {SECRET_URL}"), PluginError),
    "one that holds the password": (OSError("login me, se/cret"), PluginError),
    "one that holds a part of it": (ValueError("int() of 'cret'"), ConfigurationError),
    "one of LTQ's": (ConfigurationError(f"no '{SECRET_URL}'"), ConfigurationError),
    "one of its own": (Refusal(f"no {SECRET_URL}"), BrokerUnavailableError),
    "an end of the process": (SystemExit(SECRET_URL), PluginError),
}


@pytest.mark.parametrize("kind", RAISED)
def test_no_traceback_of_a_broker_that_fails_shows_the_password(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    error, becomes = RAISED[kind]
    monkeypatch.setattr("fake_site.fail", failing(error), raising=False)
    site.add("ltq-nats", {"nats": offering("nats", target="fake_site:fail")})
    site.use()

    with pytest.raises(becomes) as caught:
        Broker.from_url(SECRET_URL)

    shown = "".join(traceback.format_exception(caught.value))
    assert type(caught.value) is becomes
    assert not re.search(r"\bcret\b", shown)
    assert "***" in str(caught.value)


def test_broker_that_fails_is_an_error_of_its_plugin(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = RuntimeError("nats://me:secret@host does not please me.")
    monkeypatch.setattr("fake_site.fail", failing(error), raising=False)
    site.add("ltq-nats", {"nats": offering("nats", target="fake_site:fail")})
    site.use()

    with pytest.raises(PluginError) as caught:
        Broker.from_url("nats://me:secret@host")

    assert str(caught.value) == (
        "Broker 'nats://' of plugin 'nats' from ltq-nats 1.0 could not be loaded: "
        "RuntimeError: nats://me:***@host does not please me. Update it, "
        "or set LTQ_DISABLE_PLUGINS=nats."
    )


def test_error_of_a_broker_that_masks_the_password_itself_is_kept_as_it_is(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = ConfigurationError("No port in nats://:***@host; write '@' as %40, '/' as %2F.")
    monkeypatch.setattr("fake_site.fail", failing(error), raising=False)
    site.add("ltq-nats", {"nats": offering("nats", target="fake_site:fail")})
    site.use()

    with pytest.raises(ConfigurationError) as caught:
        Broker.from_url("nats://:secret@host")

    assert caught.value is error


def test_cause_that_shows_no_password_is_kept(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = RuntimeError("a bug")
    monkeypatch.setattr("fake_site.fail", failing(error), raising=False)
    site.add("ltq-nats", {"nats": offering("nats", target="fake_site:fail")})
    site.use()

    with pytest.raises(PluginError) as caught:
        Broker.from_url("nats://me:secret@host")

    assert caught.value.__cause__ is error


def test_module_of_a_broker_that_shows_a_url_as_it_fails_hides_the_password(
    site: FakeSite,
) -> None:
    fault = "raise RuntimeError('://me:' + 'secret' + '@host')"
    (site.root / "nats_fails.py").write_text(fault)
    site.add("ltq-nats", {"nats": offering("nats", target="nats_fails:Broker")})
    site.use()

    with pytest.raises(PluginError) as caught:
        Broker.from_url("nats://")

    assert "://me:secret@" not in "".join(traceback.format_exception(caught.value))


class PausingBroker(SoundBroker):
    async def pause(self, queue: str) -> None: ...
    async def resume(self, queue: str) -> None: ...
    async def paused(self, queue: str) -> bool:
        return False


def test_schemes_with_an_ability_are_found_beside_brokers_that_cannot_be_imported(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fake_site.PausingBroker", PausingBroker, raising=False)
    site.add("ltq-bad", {"bad": offering("bad", target="missing_client:Broker")})
    site.add("ltq-nats", {"nats": offering("nats", target="fake_site:PausingBroker")})
    site.add("ltq-plain", {"plain": offering("plain")})
    site.use()

    assert plugins.schemes_with(Pause) == ["nats"]
    assert plugins.schemes_with(Ticks) == []
