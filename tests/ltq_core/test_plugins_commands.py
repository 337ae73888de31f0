"""The subcommands that plugins offer."""

from __future__ import annotations

import sys

import pytest

from fake_site import FakeSite, answering
from ltq_core import plugins
from ltq_core.errors import PluginError

COMMAND = (
    "import rich_click as click\n@click.command()\ndef hello():\n    click.echo('hello')\n"
)


def commands(answer: str) -> str:
    return answering("ltq_register_commands", answer)


def test_commands_are_listed_without_importing_them(site: FakeSite) -> None:
    (site.root / "hello_command.py").write_text("raise SystemExit")
    site.add("ltq-hello", {"hello": commands("{'hello': 'hello_command:hello'}")})
    site.use()

    assert dict(plugins.commands()) == {"hello": "hello_command:hello"}
    assert "hello_command" not in sys.modules


def test_command_is_imported_where_it_is_used(site: FakeSite) -> None:
    (site.root / "hello_command.py").write_text(COMMAND)
    site.add("ltq-hello", {"hello": commands("{'hi': 'hello_command:hello'}")})
    site.use()

    assert plugins.load_command("hi").name == "hello"


def test_command_may_be_the_object_itself(site: FakeSite) -> None:
    site.add("ltq-hello", {"hello": COMMAND + commands("{'hi': hello}")})
    site.use()

    assert plugins.load_command("hi").name == "hello"


@pytest.mark.parametrize(
    ("target", "fault"),
    [
        ("missing_command:hello", "No module named 'missing_command'. Reinstall"),
        ("builtins:print", "it is a builtin_function_or_method, not a click.Command. Update"),
    ],
)
def test_command_that_cannot_be_loaded_names_its_plugin(
    site: FakeSite, target: str, fault: str
) -> None:
    site.add("ltq-hello", {"hello": commands(f"{{'hi': '{target}'}}")})
    site.use()

    with pytest.raises(PluginError) as caught:
        plugins.load_command("hi")

    assert str(caught.value) == (
        f"Command 'hi' of plugin 'hello' from ltq-hello 1.0 could not be loaded: {fault} it, "
        "or set LTQ_DISABLE_PLUGINS=hello."
    )


def test_command_that_two_plugins_claim_is_an_error_where_it_is_run(site: FakeSite) -> None:
    site.add("ltq-a", {"a": commands("{'hi': 'm:c', 'free': 'builtins:print'}")})
    site.add("ltq-b", {"b": commands("{'hi': 'm:c'}")})
    site.use()

    assert sorted(plugins.commands()) == ["free", "hi"]
    with pytest.raises(PluginError, match=r"^Command 'hi' is offered by 'a' from ltq-a"):
        plugins.load_command("hi")
