"""``ltq size`` and ``ltq clear``."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from command_line import CommandLine, command_line, ltq
from fake_site import FakeSite, answering
from ltq_core.message import Message
from ltq_memory.broker import MemoryBroker
from together import PLUGIN

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command_line"]


@pytest.fixture
def url(site: FakeSite, tmp_path: Path) -> str:
    """A broker whose queue ``github:fetch`` holds two messages."""
    site.add("ltq-together", {"together": PLUGIN})
    site.use()
    broker = MemoryBroker(f"memory://{tmp_path.name}")
    asyncio.run(broker.publish_many([Message(task_name="github:fetch") for _ in range(2)]))
    return f"together://{tmp_path.name}"


def test_size_prints_the_queue_and_how_many_wait(url: str) -> None:
    assert ltq("size", "github:fetch", "--broker-url", url) == (0, "github:fetch: 2\n", "")


def test_size_of_a_queue_that_never_was_is_0(url: str) -> None:
    assert ltq("size", "github:star", "--broker-url", url).out == "github:star: 0\n"


def test_size_as_json_is_an_object(url: str) -> None:
    ended = ltq("size", "github:fetch", "--json", "--broker-url", url)

    assert json.loads(ended.out) == {"queue": "github:fetch", "size": 2}


def test_what_a_plugin_prints_is_kept_out_of_the_size(site: FakeSite, url: str) -> None:
    site.add("ltq-noise", {"noise": "print('loading')"})
    site.use()

    assert ltq("size", "github:fetch", "--broker-url", url) == (
        0,
        "github:fetch: 2\n",
        "loading\n",
    )


@pytest.mark.parametrize("option", ["--broker-url", "--redis-url"])
def test_broker_url_may_stand_before_the_command(url: str, option: str) -> None:
    assert ltq(option, url, "size", "github:fetch").out == "github:fetch: 2\n"


def test_broker_url_of_the_environment_counts_without_the_option(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LTQ_BROKER_URL", url)

    assert ltq("size", "github:fetch").out == "github:fetch: 2\n"


def test_option_goes_before_the_environment(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LTQ_BROKER_URL", "nowhere://")

    assert ltq("size", "github:fetch", "--broker-url", url).out == "github:fetch: 2\n"


def test_broker_url_counts_for_one_command_alone(url: str) -> None:
    ltq("size", "github:fetch", "--broker-url", url)

    assert ltq("--broker-url", url, "size", "github:fetch").code == 0
    assert "redis" in ltq("size", "github:fetch").err


def test_clear_empties_the_queue(url: str) -> None:
    assert ltq("clear", "github:fetch", "--broker-url", url) == (
        0,
        "",
        "github:fetch: cleared\n",
    )
    assert ltq("size", "github:fetch", "--broker-url", url).out == "github:fetch: 0\n"


@pytest.mark.parametrize("command", [("size",), ("clear",), ("dead", "list")])
def test_queues_of_another_process_are_said_to_be_out_of_sight(
    command: tuple[str, ...],
) -> None:
    ended = ltq(*command, "github:fetch", "--broker-url", "memory://")

    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "Error: The queues of 'memory://' live in the memory of one process: another one, "
        "such as this, sees nothing of them. Use a broker that processes share.\n"
    )


@pytest.mark.parametrize("command", [("size",), ("clear",), ("dead", "list")])
def test_broker_that_is_away_is_one_line_and_exit_code_3(
    command_line: CommandLine, command: tuple[str, ...]
) -> None:
    # Nobody listens on port 1 of this machine.
    url = ("--broker-url", "redis://:secret@127.0.0.1:1")

    ended = command_line.run(*command, "github:fetch", *url)

    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("Error: ")
    assert ended.err.count("\n") == 1
    assert "secret" not in ended.err


def test_scheme_that_nobody_offers_is_one_line_and_exit_code_2(url: str) -> None:
    ended = ltq("size", "github:fetch", "--broker-url", "nats://host")

    assert ended.code == 2
    assert ended.err.startswith("Error: No broker is installed for 'nats://'")
    assert ended.err.count("\n") == 1


def test_error_that_spans_lines_is_printed_as_one(site: FakeSite) -> None:
    source = answering("ltq_register_brokers", "{'odd': odd}")
    site.add(
        "ltq-odd",
        {
            "odd": source
            + "\ndef odd(url):\n    from ltq_core import LTQError\n    raise LTQError('a\\nb')"
        },
    )
    site.use()

    assert ltq("size", "github:fetch", "--broker-url", "odd://") == (1, "", "Error: a\\nb\n")
