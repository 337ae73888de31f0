"""``ltq plugins list``, ``show`` and ``check``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from fake_site import FakeSite, SoundBroker, answering, offering
from ltq_core.broker import Broker
from ltq_core.cli.plugins import plugins
from ltq_core.cli.plugins.contract import broker_problems, middleware_problems
from ltq_core.errors import ConfigurationError, PluginError
from ltq_core.middleware import Middleware, MiddlewareSpec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ltq_core.message import Message
    from ltq_core.task import Task

SIX_KINDS = {
    "import": "import a_client_that_is_missing",
    "exit": "raise SystemExit(0)",
    "arguments": "from ltq_core import hookimpl\n@hookimpl\ndef ltq_register_brokers(app): ...",
    "misspelt": "from ltq_core import hookimpl\n@hookimpl\ndef ltq_register_broker(): ...",
}


def ltq_plugins(*args: str) -> Result:
    return CliRunner().invoke(plugins, args, catch_exceptions=False)


def listed(*args: str) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = json.loads(ltq_plugins("list", "--json", *args).stdout)
    return result


def names(*args: str) -> list[str]:
    return [one["name"] for one in listed(*args)]


def populate(site: FakeSite) -> None:
    site.add("ltq-bad", {"bad": "1 / 0"})
    site.add("ltq-nats", {"nats": offering("nats", "nats+tls")})
    site.add("ltq-off", {"off": ""})
    site.use(disabled={"off": "LTQ_DISABLE_PLUGINS"})


def test_list_as_json_has_these_keys_in_every_state(site: FakeSite) -> None:
    populate(site)

    assert [one["state"] for one in listed()] == ["broken", "ok", "disabled"]
    assert listed("--scheme", "nats") == [
        {
            "name": "nats",
            "distribution": "ltq-nats",
            "version": "1.0",
            "state": "ok",
            "error": None,
            "schemes": ["nats", "nats+tls"],
            "middleware": [],
            "options": [],
            "commands": [],
        }
    ]


NOISY = "print('loading nats')\n"


@pytest.mark.parametrize("command", ["list", "show", "check"])
def test_what_a_plugin_prints_as_it_is_loaded_is_kept_out_of_the_data(
    site: FakeSite, command: str
) -> None:
    (site.root / "noisy_nats.py").write_text(f"{NOISY}from fake_site import SoundBroker")
    site.add("ltq-nats", {"nats": NOISY + offering("nats", target="noisy_nats:SoundBroker")})
    site.use()

    result = ltq_plugins(command, *(["nats"] if command == "show" else []), "--json")

    assert [one["name"] for one in json.loads(result.stdout)] == ["nats"]
    assert "loading nats\n" in result.stderr


def test_list_for_people_has_a_row_for_each_plugin(site: FakeSite) -> None:
    populate(site)

    lines = ltq_plugins("list").stdout.splitlines()

    assert [line.split()[0] for line in lines] == ["PLUGIN", "bad", "nats", "off"]
    assert "nats, nats+tls" in lines[2]
    assert "ZeroDivisionError: division by zero. Update it" in lines[1]


def test_list_and_its_errors_fit_into_80_columns(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ltq_core.cli.output.terminal_width", lambda: 80)
    populate(site)

    lines = ltq_plugins("list").stdout.splitlines()

    assert max(map(len, lines)) <= 80
    assert lines[1].split() == ["bad", "ltq-bad", "1.0", "broken", "-", "-"]
    assert lines[2].startswith("    Plugin 'bad' from ltq-bad 1.0 could not be loaded: ")


@pytest.mark.parametrize("args", [("show", "bad"), ("check",)])
def test_what_is_said_of_a_plugin_fits_into_80_columns(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...]
) -> None:
    monkeypatch.setattr("ltq_core.cli.output.terminal_width", lambda: 80)
    populate(site)

    lines = ltq_plugins(*args).stdout.splitlines()

    assert max(len(line) for line in lines if "/" not in line) <= 80


def test_list_of_all_shows_options_and_commands(site: FakeSite) -> None:
    site.add("ltq-nats", {"nats": answering("ltq_register_commands", "{'streams': 'm:c'}")})
    site.use()

    assert "COMMANDS" not in ltq_plugins("list").stdout
    assert "streams" in ltq_plugins("list", "--all").stdout


def test_list_of_the_broken_leaves_out_what_is_ok_or_disabled(site: FakeSite) -> None:
    populate(site)

    assert names("--broken") == ["bad"]


@pytest.mark.parametrize("scheme", ["nats", "NATS", "nats://", "nats://host"])
def test_list_of_a_scheme_shows_who_offers_it(site: FakeSite, scheme: str) -> None:
    populate(site)

    assert names("--scheme", scheme) == ["nats"]


def test_list_without_a_match_says_so_on_stderr_alone(site: FakeSite) -> None:
    populate(site)

    result = ltq_plugins("list", "--scheme", "kafka")

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "No such plugin is installed. See: ltq plugins list.\n"


def test_list_of_the_broken_says_where_nothing_is_wrong(site: FakeSite) -> None:
    site.add("ltq-nats", {"nats": offering("nats")})
    site.use()

    assert ltq_plugins("list", "--broken").stderr == "Nothing is wrong with any plugin.\n"


def test_list_with_broken_plugins_exits_with_zero(site: FakeSite) -> None:
    populate(site)

    assert ltq_plugins("list").exit_code == 0


def test_strict_list_shows_every_row_and_fails(site: FakeSite) -> None:
    site.add("ltq-bad", {"bad": "1 / 0"})
    site.use(strict=True)

    result = CliRunner().invoke(plugins, ["list"])

    assert "broken" in result.stdout
    assert isinstance(result.exception, PluginError)


def test_command_that_the_core_has_shows_as_a_conflict(site: FakeSite) -> None:
    site.add("ltq-run", {"run": answering("ltq_register_commands", "{'run': 'm:c'}")})
    site.use()

    assert [one["state"] for one in listed()] == ["conflict"]


def test_six_kinds_of_breakage_leave_other_commands_and_plugins_working(
    site: FakeSite, tmp_path: Path
) -> None:
    for kind, source in SIX_KINDS.items():
        site.add(f"ltq-{kind}", {kind: source})
    site.add("ltq-old", {"old": ""}, requires="ltq-core<0.1")
    site.add("ltq-claim", {"claim": offering("memory")})
    ltq = "import sys; from ltq_core.cli import main; sys.exit(main())"
    paths = [str(tmp_path), *sys.path]

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", ltq, *args],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            capture_output=True,
            text=True,
            check=False,
        )

    rows = json.loads(run("plugins", "list", "--json").stdout)
    states = {row["name"]: row["state"] for row in rows}
    assert {name: states[name] for name in SIX_KINDS} == dict.fromkeys(SIX_KINDS, "broken")
    assert (states["old"], states["claim"], states["memory"]) == (
        "incompatible",
        "conflict",
        "conflict",
    )
    assert states["limits"] == "ok"
    assert run("--help").returncode == 0
    assert run("--version").returncode == 0


def test_show_tells_all_about_a_plugin(site: FakeSite) -> None:
    source = offering("nats", "nats+tls") + answering(
        "ltq_register_middleware",
        "[MiddlewareSpec('headers', 'm:M', 'observe', lambda: True, ('header',))]",
    )
    site.add("ltq-nats", {"nats": source})
    site.use()

    (shown,) = json.loads(ltq_plugins("show", "nats", "--json").stdout)

    assert shown.pop("load_seconds") > 0
    assert shown == {
        "name": "nats",
        "distribution": "ltq-nats",
        "version": "1.0",
        "state": "ok",
        "error": None,
        "summary": "Made for a test",
        "location": str(site.root / "ltq_nats_nats.py"),
        "hooks": ["ltq_register_brokers", "ltq_register_middleware"],
        "schemes": ["nats", "nats+tls"],
        "brokers": [
            {
                "schemes": ["nats", "nats+tls"],
                "target": "fake_site:SoundBroker",
                "error": None,
                "durable": False,
                "shared": False,
                "abilities": [],
            }
        ],
        "middleware": [
            {
                "name": "headers",
                "target": "m:M",
                "phase": "observe",
                "default": "conditional",
                "options": ["header"],
            }
        ],
        "options": ["header"],
        "commands": [],
    }


def test_show_for_people_has_a_line_for_each_fact(site: FakeSite) -> None:
    site.add("ltq-nats", {"nats": offering("nats")})
    site.use()

    shown = ltq_plugins("show", "ltq-nats").stdout

    assert "Distribution: ltq-nats 1.0\n" in shown
    assert "Summary:      Made for a test\n" in shown
    assert (
        "Brokers:      nats://  fake_site:SoundBroker: not durable, for one process; "
        "no further abilities\n"
    ) in shown


def test_show_of_a_broker_that_cannot_be_imported_shows_why(site: FakeSite) -> None:
    site.add("ltq-nats", {"nats": offering("nats", target="missing_client:Broker")})
    site.use()

    assert "No module named 'missing_client'" in ltq_plugins("show", "nats").stdout


def test_show_of_an_unknown_plugin_is_an_error(site: FakeSite) -> None:
    site.use()

    with pytest.raises(ConfigurationError, match="No plugin named 'nats'"):
        ltq_plugins("show", "nats")


def test_check_of_a_sound_plugin_exits_with_zero(site: FakeSite) -> None:
    site.add("ltq-nats", {"nats": offering("nats")})
    site.use()

    result = ltq_plugins("check", "nats")

    assert (result.exit_code, result.stdout) == (0, "nats: ok\n")


@pytest.mark.parametrize(
    "source",
    [
        "1 / 0",
        offering("bad", target="missing_client:Broker"),
        offering("bad", target="fake_site:FakeSite"),
        offering("bad", target="builtins:dict"),
        answering("ltq_register_middleware", "[MiddlewareSpec('m', 'missing:M')]"),
        answering("ltq_register_commands", "{'cmd': 'builtins:print'}"),
        answering("ltq_register_commands", "{'run': 'm:c'}"),
    ],
)
def test_check_of_a_broken_plugin_exits_with_one(site: FakeSite, source: str) -> None:
    site.add("ltq-bad", {"bad": source})
    site.use()

    result = ltq_plugins("check", "bad")

    assert result.exit_code == 1
    assert result.stdout.startswith("bad: ")


def test_check_of_an_entry_point_without_hooks_asks_whether_it_is_the_right_one(
    site: FakeSite,
) -> None:
    site.add("ltq-nats", {"nats": "from ltq_core import hookimpl"})
    site.use()

    result = ltq_plugins("check")

    assert result.exit_code == 1
    assert result.stdout == (
        "nats: 'ltq_nats_nats' implements no hook. Is it the right entry point?\n"
    )


def test_check_without_a_name_checks_every_plugin_that_is_not_disabled(site: FakeSite) -> None:
    populate(site)

    result = ltq_plugins("check", "--json")

    assert result.exit_code == 1
    assert {one["name"]: bool(one["problems"]) for one in json.loads(result.stdout)} == {
        "bad": True,
        "nats": False,
        "off": False,
    }


class NoNack(SoundBroker):
    nack = Broker.nack


class PlainAck(SoundBroker):
    def ack(self, message: Message) -> None: ...  # type: ignore[override]


class NoDrop(SoundBroker):
    async def nack(self, message: Message, delay: float = 0) -> None: ...  # type: ignore[override]


class NeedsDelay(SoundBroker):
    async def publish(self, message: Message, delay: float) -> None: ...  # type: ignore[override]


class NoUrl(SoundBroker):
    def __init__(self) -> None:
        super().__init__("")


class OddPause(SoundBroker):
    async def pause(self) -> None: ...
    async def resume(self, queue: str) -> None: ...
    async def paused(self, queue: str) -> bool:
        return False


@pytest.mark.parametrize(
    ("broker", "problem"),
    [
        (NoNack, "NoNack does not implement nack."),
        (PlainAck, "PlainAck.ack must be async."),
        (
            NoDrop,
            "NoDrop.nack must take (message, delay, drop): too many positional arguments.",
        ),
        (
            NeedsDelay,
            "NeedsDelay.publish must take (message): missing a required argument: 'delay'.",
        ),
        (NoUrl, "NoUrl must take (url): too many positional arguments."),
        (OddPause, "OddPause.pause must take (queue): too many positional arguments."),
        (FakeSite, "FakeSite must be a subclass of ltq_core.Broker."),
    ],
)
def test_broker_that_breaks_the_contract_is_told_how(broker: type, problem: str) -> None:
    assert list(broker_problems(broker)) == [problem]


def test_sound_broker_has_no_problems() -> None:
    assert list(broker_problems(SoundBroker)) == []


class Sound(Middleware):
    options = {"note": str}

    @asynccontextmanager
    async def __call__(self, message: Message, task: Task[Any, Any]) -> AsyncIterator[None]:
        yield


class Undecorated(Sound):
    async def __call__(  # type: ignore[override]
        self, message: Message, task: Task[Any, Any]
    ) -> AsyncIterator[None]:
        yield


class Abstract(Middleware):
    options = {"note": str}


class Listing(Sound):
    options = ["note"]  # type: ignore[assignment]


class Timeout(Sound):
    options = {"timeout": float}


@pytest.mark.parametrize(
    ("middleware", "options", "problem"),
    [
        (Abstract, ("note",), "Abstract does not implement __call__."),
        (
            Undecorated,
            ("note",),
            (
                "Undecorated.__call__ must not be async; for a context, decorate it with "
                "@asynccontextmanager."
            ),
        ),
        (
            Sound,
            ("note", "pitch"),
            "The task option 'pitch' is missing from Sound.options.",
        ),
        (Sound, (), "The task option 'note' is missing from its MiddlewareSpec."),
        (
            Listing,
            ("note",),
            "Listing.options must be a mapping of task options to parsers.",
        ),
        (
            Timeout,
            ("timeout",),
            "The task option 'timeout' is the worker's own, whose parser stands.",
        ),
    ],
)
def test_middleware_that_breaks_the_contract_is_told_how(
    middleware: type, options: tuple[str, ...], problem: str
) -> None:
    spec = MiddlewareSpec("notes", "m:M", options=options)

    assert list(middleware_problems(spec, middleware)) == [problem]
