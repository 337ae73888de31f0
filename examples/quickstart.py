"""Index Python's standard library with a task queue: one process, no server.

    python examples/quickstart.py

Every file of the library is a message, and so is every function and class in it. Three
files fail at their first attempt, on purpose, and are retried. One can never be parsed,
and ends as a dead letter.
"""

import ast
import asyncio
import logging
import platform
import sysconfig
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

import ltq
from ltq_core import DeadLetters

# memory:// lives in this process. With redis:// the very same tasks run on any number of
# machines, and their messages outlive them all.
worker = ltq.Worker("stdlib", broker_url="memory://", concurrency=100)


@dataclass(frozen=True)
class Definition:
    """A function or class. An argument may be all that JSON can carry and bring back equal."""

    module: str
    name: str
    line: int
    length: int
    kind: str
    documented: bool


# What the tasks find. A queue that loses nothing must sometimes repeat itself, so a task
# should do no harm when it runs twice: here dicts and a set see to that.
lines: dict[str, int] = {}  # by module
found: dict[str, int] = {}  # how many definitions were sent, by module
definitions: set[Definition] = set()

UNLUCKY = {"heapq", "queue", "sched"}
parsing = asyncio.Lock()


@worker.task(max_tries=3, backoff=0.5)
async def read(module: str, path: str) -> None:
    """Parse one file, and send a message for each thing that it defines."""
    if module in UNLUCKY and ltq.current_message().attempt == 1:
        raise OSError(f"{module} cannot be read, or so we pretend")
    async with parsing:  # in a thread, to leave the event loop free; a second gains nothing
        source = await asyncio.to_thread(Path(path).read_bytes)
        try:
            outlined = await asyncio.to_thread(outline, module, source)
        except SyntaxError as error:  # trying again is no use
            raise ltq.RejectError(f"{module} is no Python") from error
    await note.send_many([note.message(one) for one in outlined])
    lines[module], found[module] = source.count(b"\n"), len(outlined)


@worker.task
async def note(one: Definition) -> None:
    """Note one function or class."""
    definitions.add(one)


def outline(module: str, source: bytes) -> list[Definition]:
    """List the functions and classes in a file."""
    return [
        Definition(
            module,
            node.name,
            node.lineno,
            (node.end_lineno or node.lineno) - node.lineno + 1,
            "class" if isinstance(node, ast.ClassDef) else "function",
            ast.get_docstring(node, clean=False) is not None,
        )
        for node in ast.walk(ast.parse(source, module))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    ]


class Tally(ltq.Middleware):
    """Counts runs by how they end. Middleware wraps every run of every task."""

    def __init__(self) -> None:
        self.ended: Counter[str] = Counter()
        self.retried = 0

    @asynccontextmanager
    async def __call__(
        self, message: ltq.Message, task: ltq.Task[..., Any]
    ) -> AsyncIterator[None]:
        """Count one run."""
        try:
            yield
        except ltq.RetryError:
            self.retried += 1  # not the end: it will be back
            raise
        except Exception:
            self.ended[task.name] += 1  # given up: kept as a dead letter
            raise
        self.ended[task.name] += 1


tally = Tally()
worker.register_middleware(tally, pos=0)  # outermost, so that it sees what becomes of a run
console = Console(highlight=False)


async def main() -> None:
    """Send a message for each file, run the worker until all have ended, show the results."""
    with tempfile.TemporaryDirectory() as folder:
        files = [*library(), ("broken", broken_file(folder))]
        start = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            group.create_task(worker.run())
            await read.send_many(read.message(*file) for file in files)
            await watch(len(files))
            await show(time.perf_counter() - start)
            worker.stop()


def library() -> list[tuple[str, str]]:
    """List the name and path of every module of the standard library, but its tests."""
    root = Path(sysconfig.get_path("stdlib"))
    left_out = {"site-packages", "dist-packages", "test", "tests", "idle_test"}
    return [
        (".".join(path.relative_to(root).with_suffix("").parts), str(path))
        for path in sorted(root.rglob("*.py"))
        if left_out.isdisjoint(path.relative_to(root).parts)
    ]


def broken_file(folder: str) -> str:
    """Write a file that no Python can parse."""
    path = Path(folder, "broken.py")
    path.write_text("def spam(:\n")
    return str(path)


async def watch(files: int) -> None:
    """Show the progress until every message has ended: bars, or lines in a pipe."""
    columns = TextColumn("{task.description:>21}"), BarColumn(40), MofNCompleteColumn()
    lively = console.is_terminal
    with Progress(*columns, console=console, disable=not lively) as progress:
        reading = progress.add_task("files", total=files)
        noting = progress.add_task("functions and classes")
        done = noted = known = 0
        while done < files or noted < known:
            await asyncio.sleep(0.1 if lively else 1)
            done, noted = tally.ended[read.name], tally.ended[note.name]
            known = sum(found.values())
            progress.update(reading, completed=done)
            progress.update(noting, completed=noted, total=known)
            if not lively:
                console.print(f"{done}/{files} files, {noted}/{known} functions and classes")


async def show(seconds: float) -> None:
    """Print what was found, and what became of the messages."""
    console.print(packages())
    ended = tally.ended.total()
    rate = f"{ended / seconds:,.0f} a second"
    console.print(f"[green]✓[/] {ended:,} messages in {seconds:.1f} s, {rate}")
    console.print(f"[yellow]↻[/] {tally.retried} runs failed and were tried again")
    assert isinstance(worker.broker, DeadLetters)  # an ability that not every broker has
    for letter in await worker.broker.dead_letters(read.name):
        module = letter.message.args[0] if letter.message else letter.id
        console.print(f"[red]✗[/] dead letter: {module}, {letter.error_type}: {letter.error}")


def packages() -> Table:
    """Tabulate the packages with most lines, of those that define something."""
    inside: defaultdict[str, list[Definition]] = defaultdict(list)
    for one in definitions:
        inside[package(one.module)].append(one)
    size: Counter[str] = Counter()
    for module, count in lines.items():
        size[package(module)] += count
    title = f"The largest packages of Python {platform.python_version()}"
    table = Table(title=title, box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("package")
    for heading in "lines", "functions", "classes", "docs":
        table.add_column(heading, justify="right")
    table.add_column("longest (lines)")
    for name in sorted(inside, key=lambda name: -size[name])[:10]:
        table.add_row(name, f"{size[name]:,}", *summary(inside[name]))
    return table


def summary(inside: list[Definition]) -> tuple[str, ...]:
    """Sum up what one package defines."""
    functions = [one for one in inside if one.kind == "function"]
    longest = max(functions, key=lambda one: (one.length, one.name))
    return (
        f"{len(functions):,}",
        f"{len(inside) - len(functions):,}",
        f"{sum(one.documented for one in inside) / len(inside):.0%}",
        f"{longest.name} ({longest.length})",
    )


def package(module: str) -> str:
    """Return the first part of a module's name."""
    return module.partition(".")[0]


if __name__ == "__main__":
    # LTQ logs what fails; rich lets that stand above the progress bars.
    handler = RichHandler(console=console, show_time=False, show_path=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    asyncio.run(main())
