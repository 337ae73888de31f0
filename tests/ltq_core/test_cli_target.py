"""``module:object`` on the command line, and what is said where there is none."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

import ltq
from command_line import LTQ, PYTHON_M, CommandLine, command_line
from ltq_core.cli.target import load_target
from ltq_core.errors import ConfigurationError, OptionValueError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["command_line"]

GITHUB = """
import ltq

worker = ltq.Worker("github", broker_url="memory://")
scheduler = ltq.Scheduler("memory://")

@worker.task
async def fetch() -> None: ...

class Workers:
    first = worker
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A current directory that holds ``github.py`` and ``package/github.py``."""
    (tmp_path / "package").mkdir()
    for path in (tmp_path / "github.py", tmp_path / "package" / "github.py"):
        path.write_text(GITHUB)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def mistake(target: str, *kinds: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_target(target, *(kinds or ("worker", "app", "scheduler")))  # type: ignore[arg-type]
    return str(caught.value)


@pytest.mark.parametrize(
    "target", ["github:worker", "package.github:worker", "github:Workers.first"]
)
def test_worker_is_found_from_the_current_directory(here: Path, target: str) -> None:
    assert isinstance(load_target(target, "worker"), ltq.Worker)


def test_current_directory_comes_last_on_the_path(here: Path) -> None:
    load_target("github:worker", "worker")

    assert sys.path[-1] == str(here)


@pytest.mark.parametrize(
    "target", ["github", "github:", ":worker", "git hub:worker", "", "a:b:c"]
)
def test_target_without_module_and_object_says_how_it_looks(here: Path, target: str) -> None:
    assert mistake(target) == (
        f"'{target}' must name a module and an object in it, as in 'github:worker'."
    )


@pytest.mark.parametrize(
    ("target", "meant"),
    [
        ("github.py:worker", "github:worker"),
        ("./package/github.py:worker", "package.github:worker"),
        ("package/github", "package.github:worker"),
    ],
)
def test_file_is_answered_with_its_module(here: Path, target: str, meant: str) -> None:
    assert mistake(target) == f"'{target}' names a file. Name its module instead: '{meant}'."


def test_missing_module_is_answered_with_the_nearest_one(here: Path) -> None:
    assert mistake("githb:worker") == (
        f"There is no module 'githb', neither installed nor in {here}. Did you mean 'github'?"
    )


def test_missing_module_of_a_package_is_answered_with_the_nearest_one(here: Path) -> None:
    assert mistake("package.githb:worker").endswith("Did you mean 'package.github'?")


def test_missing_module_with_nothing_near_gets_no_suggestion(here: Path) -> None:
    assert mistake("zzz:worker") == (
        f"There is no module 'zzz', neither installed nor in {here}. "
        "Change to the folder that it stands in, or install its package."
    )


def test_missing_object_is_answered_with_the_nearest_one(here: Path) -> None:
    assert mistake("github:wrker") == (
        "Module 'github' has no 'wrker'. Did you mean 'github:worker'?"
    )


def test_missing_object_with_nothing_near_is_answered_with_all_that_fit(here: Path) -> None:
    assert mistake("github:zzz") == (
        "Module 'github' has no 'zzz'. Did you mean 'github:worker' or 'github:scheduler'?"
    )


def test_object_of_another_kind_is_answered_with_one_that_fits(here: Path) -> None:
    assert mistake("github:fetch", "worker", "app") == (
        "'github:fetch' is a Task, not a worker or an app. Did you mean 'github:worker'?"
    )


def test_module_without_a_fitting_object_is_said_to_hold_none(here: Path) -> None:
    assert mistake("github:worker", "app") == (
        "'github:worker' is a Worker, not an app. It holds no app: name the module that does."
    )


def test_mistake_in_a_declaration_keeps_its_own_sentence(here: Path) -> None:
    (here / "bad.py").write_text(
        "from github import worker\n@worker.task(max_rate='10/day')\ndef star(): ..."
    )

    with pytest.raises(OptionValueError, match="max_rate of task 'github:star' must look"):
        load_target("bad:worker", "worker")


@pytest.mark.parametrize(
    ("source", "failure"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import a_library_that_is_missing", "ModuleNotFoundError: No module named"),
        ("import failing.part", "ModuleNotFoundError: No module named 'failing.part'"),
        ("raise SystemExit('bye')", "SystemExit: bye"),
        ("def broken(", "SyntaxError: "),
    ],
)
def test_module_that_fails_is_shown_with_its_own_traceback(
    here: Path, capsys: pytest.CaptureFixture[str], source: str, failure: str
) -> None:
    (here / "failing.py").write_text(source)

    assert mistake("failing:worker").startswith(
        f"Module 'failing' failed while it was imported, as the traceback above shows: "
        f"{failure}"
    )
    shown = capsys.readouterr().err
    assert f'File "{here / "failing.py"}", line 1' in shown
    assert "importlib" not in shown


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (("nowhere:worker",), "Error: There is no module 'nowhere'"),
        (("github:nothing",), "Error: Module 'github' has no 'nothing'"),
        (("github:fetch",), "Error: 'github:fetch' is a Task"),
        (("--app", "github:worker"), "Error: 'github:worker' is a Worker, not an app."),
        (("github:worker", "--broker-url", "nats://x"), "Error: No broker is installed for"),
        (("github:worker", "--scheduler", "github:worker"), "Error: 'github:worker' is a"),
    ],
)
def test_run_answers_a_mistake_with_one_line_and_exit_code_2(
    command_line: CommandLine, args: tuple[str, ...], line: str
) -> None:
    command_line.write("github", GITHUB)

    ended = command_line.run("run", *args)

    assert ended.code == 2
    assert ended.err.startswith(line)
    assert ended.err.count("\n") == 1
    assert ended.out == ""


def test_run_shows_the_traceback_of_a_module_that_fails(command_line: CommandLine) -> None:
    command_line.write("github", "def fail():\n    return 1 / 0\nfail()")

    ended = command_line.run("run", "github:worker")

    lines = ended.err.splitlines()
    assert ended.code == 2
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].endswith('github.py", line 3, in <module>')
    assert lines[-1].startswith("Error: Module 'github' failed while it was imported, ")


@pytest.mark.parametrize("command", [(str(LTQ),), PYTHON_M], ids=["ltq", "python -m ltq"])
def test_stray_file_in_the_current_directory_shadows_no_library(
    command_line: CommandLine, command: tuple[str, ...]
) -> None:
    command_line.write("github", GITHUB)
    command_line.write("msgspec", "raise RuntimeError('the stray file was imported')")

    running = command_line.start("run", "github:scheduler", command=command)
    running.until("no job")

    assert running.ended() == 2


@pytest.mark.parametrize(
    "noise",
    [
        "print('noise')",
        "import os; os.write(1, b'noise\\n')",
        "import subprocess; subprocess.run(['echo', 'noise'])",
        "import sys; sys.__stdout__.write('noise\\n')",
        "import io, sys; sys.stdout = io.TextIOWrapper(sys.stdout.buffer); print('noise')",
        "import io, sys; sys.stdout = io.TextIOWrapper(sys.stdout.detach()); print('noise')",
    ],
)
def test_what_a_module_writes_to_stdout_is_kept_out_of_the_data(
    command_line: CommandLine, noise: str
) -> None:
    command_line.write("github", GITHUB)
    command_line.write("noisy", f"{noise}\nfrom github import scheduler")

    ended = command_line.run("schedule", "list", "noisy:scheduler", "--json")

    assert (ended.code, ended.out, ended.err) == (0, "[]\n", "noise\n")
