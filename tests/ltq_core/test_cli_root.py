"""The command ``ltq`` itself: its version, its help, its plugins' commands."""

from __future__ import annotations

import subprocess

import pytest
from click import Context

from command_line import LTQ, PYTHON_M, CommandLine, command_line, ltq
from fake_site import FakeSite, SoundBroker, answering, offering
from ltq_core import __version__
from ltq_core.cli.root import root
from ltq_core.plugins.core import COMMANDS

__all__ = ["command_line"]

HELLO = """
import rich_click as click

@click.command()
@click.argument("name", default="world")
def hello(name):
    "Greet."
    click.echo(f"hello {name}")
"""


def offer(site: FakeSite, commands: str, distribution: str = "ltq-hello") -> None:
    (site.root / "hello_command.py").write_text(HELLO)
    plugin = distribution.removeprefix("ltq-")
    site.add(distribution, {plugin: answering("ltq_register_commands", commands)})
    site.use()


@pytest.mark.parametrize("args", [("--version",), ("--version", "size")])
def test_version_is_printed_alone(command_line: CommandLine, args: tuple[str, ...]) -> None:
    assert command_line.run(*args) == (0, f"ltq {__version__}\n", "")


def test_python_runs_the_package_as_the_command(command_line: CommandLine) -> None:
    by_name = command_line.run("run", "--nothing")

    assert by_name.code == 2
    assert command_line.run("run", "--nothing", command=PYTHON_M) == by_name


def test_help_lists_the_core_commands_and_those_of_plugins(site: FakeSite) -> None:
    offer(site, "{'hello': 'hello_command:hello'}")

    ended = ltq("--help")

    assert ended.code == 0
    assert all(f"\n  {name} " in ended.out for name in [*COMMANDS, "hello"])


def test_every_command_explains_itself() -> None:
    assert [ltq(name, "--help").code for name in COMMANDS] == [0] * len(COMMANDS)


def test_plugins_command_runs_with_its_arguments(site: FakeSite) -> None:
    offer(site, "{'hello': 'hello_command:hello'}")

    assert ltq("hello", "you") == (0, "hello you\n", "")


def test_core_command_stands_whatever_a_plugin_offers(site: FakeSite) -> None:
    offer(site, "{'size': 'hello_command:hello'}")

    assert "Usage: ltq size " in ltq("size", "--help").out


def test_core_command_is_found_without_discovery(site: FakeSite) -> None:
    registry = site.use()

    ltq("size", "--help")

    assert registry._found is None


def test_broken_command_is_listed_and_fails_only_where_it_is_run(site: FakeSite) -> None:
    offer(site, "{'hello': 'hello_command:hello', 'bad': 'hello_command:bad'}")

    assert "Command 'bad' of plugin 'hello'" in ltq("--help").out
    ended = ltq("bad", "--with", "options")
    assert ended.code == 2
    assert ended.err.startswith("Error: Command 'bad' of plugin 'hello' from ltq-hello 1.0")


def test_bug_of_a_broker_keeps_its_traceback_without_the_password(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(self: SoundBroker, queue: str) -> int:
        raise RuntimeError(f"cannot ask {self.url}")

    monkeypatch.setattr(SoundBroker, "shared", True)
    monkeypatch.setattr(SoundBroker, "size", fail)
    site.add("ltq-nats", {"nats": offering("nats")})
    site.use()

    ended = ltq("--broker-url", "nats://me:secret@host", "size", "queue")

    assert ended.code == 1
    assert ended.err.startswith("Traceback (most recent call last):\n")
    assert ended.err.endswith("RuntimeError: cannot ask nats://me:***@host\n")


@pytest.mark.parametrize("args", [("--help",), ("plugins", "list"), ("size", "nats:q")])
def test_interrupt_while_a_plugin_is_loaded_ends_the_command_and_names_the_plugin(
    site: FakeSite, args: tuple[str, ...]
) -> None:
    site.add("ltq-nats", {"nats": "raise KeyboardInterrupt"})
    site.use()

    assert ltq(*args) == (
        130,
        "",
        (
            "Interrupted. Plugin 'nats' from ltq-nats 1.0 was being loaded. If nobody "
            "pressed Ctrl-C, set LTQ_DISABLE_PLUGINS=nats.\n"
        ),
    )


def test_interrupt_while_a_broker_is_imported_names_its_plugin(site: FakeSite) -> None:
    (site.root / "nats_stops.py").write_text("raise KeyboardInterrupt")
    site.add("ltq-nats", {"nats": offering("nats", target="nats_stops:Broker")})
    site.use()

    ended = ltq("size", "nats:q", "--broker-url", "nats://")

    assert ended.code == 130
    assert ended.err.startswith(
        "Interrupted. Plugin 'nats' from ltq-nats 1.0 was being loaded."
    )


def test_command_that_two_plugins_offer_is_an_error_that_names_both(site: FakeSite) -> None:
    offer(site, "{'hello': 'hello_command:hello'}")
    offer(site, "{'hello': 'hello_command:hello'}", "ltq-other")

    ended = ltq("hello")

    assert ended.code == 2
    assert "'hello' from ltq-hello 1.0 and 'other' from ltq-other 1.0" in ended.err


def test_unknown_command_is_answered_with_the_nearest_one(site: FakeSite) -> None:
    offer(site, "{'hello': 'hello_command:hello'}")

    assert "No such command 'helo'. Did you mean 'hello'?" in ltq("helo").err
    assert ltq("rn").code == 2


def test_unknown_command_like_no_other_is_answered_with_all_of_them(site: FakeSite) -> None:
    offer(site, "{'hello': 'hello_command:hello'}")

    assert ltq("zzz").err.endswith(
        f"No such command 'zzz'. Known are: {', '.join([*COMMANDS, 'hello'])}.\n"
    )


def test_plugin_can_be_kept_out_by_an_option(command_line: CommandLine) -> None:
    url = ("--broker-url", "memory://")

    ended = command_line.run("-p", "no:ltq-memory", *url, "size", "queue")

    assert ended.code == 2
    assert "is disabled by -p no:ltq-memory" in ended.err


@pytest.mark.parametrize("value", ["memory", "no:", "yes:memory"])
def test_kept_out_plugin_must_be_named_after_no(value: str) -> None:
    ended = ltq("-p", value, "size", "queue")

    assert ended.code == 2
    assert f"'{value}' must look like 'no:NAME'." in ended.err


def test_reader_that_leaves_is_no_failure_worth_a_word(command_line: CommandLine) -> None:
    script = f"set -o pipefail; {LTQ} --version | true; {LTQ} --help | true"

    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.stderr == ""


def test_terminal_gets_rich_help(command_line: CommandLine) -> None:
    ended = command_line.run(
        "-c", f"import pty, sys; pty.spawn(['{LTQ}', 'size', '--help'])", command=("python3",)
    )

    assert "╭─" in ended.out


def test_rich_help_lists_a_command_by_the_name_that_its_plugin_offers(site: FakeSite) -> None:
    offer(site, "{'greet': 'hello_command:hello'}")
    command = root.get_command(Context(root), "greet")

    assert command is not None
    assert command.name == "greet"
