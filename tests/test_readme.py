"""What the READMEs show works as shown."""

from __future__ import annotations

import ast
import asyncio
import fnmatch
import inspect
import re
import shlex
import sys
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from command_line import PATIENCE, CommandLine, Running, command_line
from fenced import Block, Command, blocks, commands
from ltq_core import Inspection
from ltq_core.testing import wait_until
from ltq_memory.settings import Settings as MemorySettings
from ltq_redis.settings import OPTIONS

if TYPE_CHECKING:
    from types import CodeType

    import ltq

__all__ = ["command_line"]

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PACKAGES = sorted(ROOT.glob("ltq_*/README.md"))
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *PACKAGES]

# Commands that set a machine up; `.ci/run` runs the second pair, other tests the wheels.
SET_UP = {
    "pip install uv && uv run python examples/quickstart.py",
    "pip install uv && uv run pytest",
    "pip install ltq-core ltq-redis",
}


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def test_python_blocks_run_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LTQ_BROKER_URL", "memory://readme")
    page = ModuleType("emails")
    monkeypatch.setitem(sys.modules, "emails", page)

    asyncio.run(run_page(page))

    said = capsys.readouterr().out
    for line in (
        "Welcome, alan@example.com!",
        "Welcome, edsger@example.com!",
        "Invited grace@example.com at attempt 2",
        "Shipping 7, worth 19.99",
        "emails:welcome starts",
    ):
        assert line in said
    assert said.count("Welcome, linus@example.com!") == 1
    assert list(page.receipts.values()) == ["ada paid 19.99"]


async def run_page(page: ModuleType) -> None:
    """Run the README's blocks in *page*, then what they have sent."""
    for block in blocks(README, "python"):
        made = eval(compiled(block), vars(page))
        if inspect.isawaitable(made):
            await made
    worker: ltq.Worker = page.worker
    running = asyncio.create_task(worker.run())
    for task in worker.tasks:
        await wait_until(lambda task=task: is_done(worker, task), PATIENCE, f"{task} has ended")
    worker.stop()
    await running


async def is_done(worker: ltq.Worker, task: str) -> bool:
    broker = worker.broker
    assert isinstance(broker, Inspection)
    stats = await broker.stats(task)
    assert not stats.dead
    return not stats.waiting and not stats.running


def compiled(block: Block) -> CodeType:
    """The block's code, in which ``await`` may stand outside of functions."""
    lines = "\n" * (block.line - 1) + block.text  # a traceback names the page's lines
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    return compile(lines, README, "exec", flags=flags, dont_inherit=True)


def test_commands_show_what_is_shown(command_line: CommandLine, redis_store: str) -> None:
    command_line.env["LTQ_BROKER_URL"] = redis_store
    command_line.env["COLUMNS"] = "120"  # the banner has more tasks here than on the page
    modules = [block.text for block in blocks(README, "python") if not block.awaits]
    command_line.write("emails", "".join(modules))
    shown = [command for command in commands(README) if command.line not in SET_UP]

    assert len(shown) >= 7
    for command in shown:
        check(command, command_line)


def check(command: Command, command_line: CommandLine) -> None:
    """Run *command*; one that would not end is ended once it has shown what it should."""
    program, *args = shlex.split(command.line)
    assert program in ("python", "ltq"), command.line
    start = {"command": (sys.executable,)} if program == "python" else {}
    running = command_line.start(*args, **start)
    if args[0] == "run":
        running.until("Plugins")  # the end of the banner
        wait_until(lambda: not missing(running, command), PATIENCE, command.line)
        assert running.stopped() == 0, running.err
    else:
        assert running.ended() == 0, running.err
    assert missing(running, command) == []


def missing(running: Running, command: Command) -> list[str]:
    """The shown lines that *running* did not write; spaces aside, and … for anything."""
    written = [" ".join(line.split()) for line in (running.out + running.err).splitlines()]
    return [
        line
        for line in command.shown
        if not fnmatch.filter(written, " ".join(line.split()).replace("…", "*"))
    ]


@pytest.mark.parametrize(
    ("package", "said"),
    [
        ("ltq_core", ""),
        ("ltq_memory", "Hello, world!"),
        ("ltq_redis", "Welcome, ada@example.com!"),
        ("ltq_sentry", "ltq_sentry.middleware.Sentry object"),
    ],
)
def test_program_on_a_packages_page_works(
    command_line: CommandLine, redis_store: str, package: str, said: str
) -> None:
    (block,) = blocks(ROOT / package / "README.md", "python")
    command_line.write("program", block.text.replace("redis://localhost:6379", redis_store))
    command_line.env["LTQ_BROKER_URL"] = redis_store

    program = command_line.start("program.py", command=(sys.executable,))
    if said:
        program.until(said)
    else:
        assert program.ended() == 0
    assert program.err == ""


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_into_the_repository_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PACKAGES, ids=name)
def test_package_pages_have_no_relative_links(page: Path) -> None:
    assert not re.search(r"\]\((?!https?:|#)", page.read_text()), "they would lead nowhere"


def test_settings_on_a_brokers_page_are_those_it_takes() -> None:
    redis = (ROOT / "ltq_redis/README.md").read_text()
    memory = (ROOT / "ltq_memory/README.md").read_text()

    assert settings(redis) == set(OPTIONS)
    assert settings(memory) == {field.name for field in fields(MemorySettings)}


def settings(page: str) -> set[str]:
    """The names in the first column of the page's table of settings."""
    table = page.partition("| setting |")[2].partition("\n\n")[0]
    rows = [row.split("|")[1] for row in table.splitlines()[2:]]
    return set(re.findall(r"`(\w+)`", " ".join(rows)))


@pytest.mark.parametrize("command", sorted(SET_UP))
def test_set_up_commands_are_those_of_the_page(command: str) -> None:
    assert command in [shown.line for shown in commands(README)]
