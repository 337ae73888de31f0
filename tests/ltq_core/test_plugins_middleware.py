"""The middleware that plugins offer: order, loading, options."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from fake_site import FakeSite, answering
from ltq_core import plugins
from ltq_core.errors import ConfigurationError, PluginError
from ltq_core.middleware import Middleware

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from ltq_core.message import Message
    from ltq_core.task import Task


class Noting(Middleware):
    options = {"note": str}

    def __call__(
        self, message: Message, task: Task[Any, Any]
    ) -> AbstractAsyncContextManager[None]:
        raise NotImplementedError


class Failing(Noting):
    def __init__(self) -> None:
        raise OSError("no disk")


class Misconfigured(Noting):
    def __init__(self) -> None:
        raise ConfigurationError("NOTE_PATH is not set.")


def specs(*arguments: str) -> str:
    """The source of a plugin with a spec of each of *arguments*."""
    listed = ", ".join(f"MiddlewareSpec({one})" for one in arguments)
    return answering("ltq_register_middleware", f"[{listed}]")


def use(site: FakeSite, *arguments: str) -> None:
    site.add("ltq-notes", {"notes": specs(*arguments)})
    site.use()


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    # Under importlib mode a test module has no name to import it by.
    for stand_in in (Noting, Failing, Misconfigured):
        monkeypatch.setattr(f"fake_site.{stand_in.__name__}", stand_in, raising=False)


def test_specs_are_ordered_by_phase_then_name_and_never_by_discovery(site: FakeSite) -> None:
    site.add("ltq-a", {"a": specs("'z', 'm:M', 'inner'", "'y', 'm:M', 'observe'")})
    site.add("ltq-b", {"b": specs("'x', 'm:M', 'observe'", "'w', 'm:M', 'limit'")})
    site.add("ltq-c", {"c": specs("'v', 'm:M', 'guard'", "'u', 'm:M', 'retry'")})
    site.use()

    assert [spec.name for spec in plugins.middleware_specs()] == ["x", "y", "u", "v", "w", "z"]


def test_listing_specs_imports_no_middleware(site: FakeSite) -> None:
    (site.root / "heavy_middleware.py").write_text("raise SystemExit")
    use(site, "'heavy', 'heavy_middleware:Heavy', options=('heavy',)")

    plugins.middleware_specs()

    assert plugins.option_names() == ["heavy"]
    assert "heavy_middleware" not in sys.modules


def test_default_stack_holds_what_its_specs_say(site: FakeSite) -> None:
    use(
        site,
        "'no', 'fake_site:Failing'",
        "'asked-no', 'fake_site:Failing', default=lambda: False",
        "'asked-yes', 'fake_site:Noting', default=lambda: True",
        "'yes', 'fake_site:Noting', default=True",
    )

    assert [type(one) for one in plugins.default_middlewares()] == [Noting, Noting]


def test_default_stack_is_fresh_each_time(site: FakeSite) -> None:
    use(site, "'notes', 'fake_site:Noting', default=True")

    assert plugins.default_middlewares()[0] is not plugins.default_middlewares()[0]


def test_default_that_cannot_be_decided_names_its_plugin(site: FakeSite) -> None:
    use(site, "'notes', 'fake_site:Noting', default=lambda: 1 / 0")

    with pytest.raises(
        PluginError, match=r"^Middleware 'notes' of plugin 'notes' from ltq-not"
    ):
        plugins.default_middlewares()


@pytest.mark.parametrize(
    ("target", "fault"),
    [
        ("'missing_client:M'", "No module named 'missing_client'. Reinstall"),
        ("'fake_site:Failing'", "OSError: no disk. Update"),
        ("'builtins:dict'", "it is a dict, not a Middleware. Update"),
        ("lambda: None", "it is a NoneType, not a Middleware. Update"),
        (
            "'fake_site:Noting', options=('note', 'pitch')",
            "it has no parser for its option 'pitch'. Update",
        ),
    ],
)
def test_middleware_that_cannot_be_loaded_names_its_plugin(
    site: FakeSite, target: str, fault: str
) -> None:
    use(site, f"'notes', {target}")

    with pytest.raises(PluginError) as caught:
        plugins.load_middleware(plugins.middleware_specs()[0])

    assert str(caught.value) == (
        "Middleware 'notes' of plugin 'notes' from ltq-notes 1.0 could not be loaded: "
        f"{fault} it, or set LTQ_DISABLE_PLUGINS=notes."
    )


def test_middleware_that_refuses_its_settings_speaks_for_itself(site: FakeSite) -> None:
    use(site, "'notes', 'fake_site:Misconfigured'")

    with pytest.raises(ConfigurationError, match=r"^NOTE_PATH is not set\.$"):
        plugins.load_middleware(plugins.middleware_specs()[0])


def test_name_that_two_plugins_claim_is_an_error_only_where_it_is_used(site: FakeSite) -> None:
    site.add("ltq-a", {"a": specs("'notes', 'fake_site:Noting'")})
    site.add("ltq-b", {"b": specs("'notes', 'fake_site:Noting'", "'free', 'fake_site:Noting'")})
    site.use()
    free, notes, _ = plugins.middleware_specs()

    assert isinstance(plugins.load_middleware(free), Noting)
    with pytest.raises(PluginError, match=r"offered by 'a' from ltq-a 1\.0 and 'b' from"):
        plugins.load_middleware(notes)


def test_option_leads_to_the_class_with_its_parser_and_makes_no_instance(
    site: FakeSite,
) -> None:
    use(site, "'notes', 'fake_site:Failing', options=('note',)")

    assert plugins.find_option("note") is Failing


def test_option_of_a_callable_leads_to_an_instance(site: FakeSite) -> None:
    target = "lambda: __import__('fake_site').Noting()"
    use(site, f"'notes', {target}, options=('note',)")

    assert isinstance(plugins.find_option("note"), Noting)


def test_unknown_option_leads_nowhere(site: FakeSite) -> None:
    use(site, "'notes', 'fake_site:Noting', options=('note',)")

    assert plugins.find_option("pitch") is None


def test_option_without_its_parser_names_the_plugin(site: FakeSite) -> None:
    use(site, "'notes', 'fake_site:Noting', options=('pitch',)")

    with pytest.raises(PluginError, match="it has no parser for its option 'pitch'"):
        plugins.find_option("pitch")


def test_option_that_two_plugins_claim_is_an_error_where_it_is_used(site: FakeSite) -> None:
    site.add("ltq-a", {"a": specs("'a', 'fake_site:Noting', options=('note',)")})
    site.add("ltq-b", {"b": specs("'b', 'fake_site:Noting', options=('note',)")})
    site.use()

    with pytest.raises(PluginError, match=r"^Task option 'note' is offered by 'a' from ltq-a"):
        plugins.find_option("note")
