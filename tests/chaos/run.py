"""Do to real workers and a real Redis what production does, and count.

    python tests/chaos/run.py [SCENARIO ...] [--all] [--short] [--list] [--jobs N]

Each scenario prints one line; the program exits with 1 if a promise did not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path += [str(HERE / "work"), str(HERE.parent / "support")]

import logbook  # noqa: E402 (from the folders above, like all of the program)
from registry import SCENARIOS, Scenario, load  # noqa: E402
from report import Report  # noqa: E402
from stage import Stage  # noqa: E402
from waiting import StuckError  # noqa: E402


def main() -> int:
    """Play the scenarios that the command line names; the exit code."""
    load()
    options = _options()
    if options.list:
        for one in SCENARIOS.values():
            print(f"{one.promise:4} {one.name:20} {one.summary}")
        return 0
    chosen = _chosen(options)
    with tempfile.TemporaryDirectory(prefix="ltq-chaos-") as folder:
        if options.redis_server:
            _prefer(options.redis_server, Path(folder))
        logs = (options.keep_logs or Path(folder)).resolve()
        if len(chosen) == 1:
            held = asyncio.run(_play(SCENARIOS[chosen[0]], logs, short=options.short))
        else:
            held = asyncio.run(_play_all(chosen, logs, options))
    return 0 if held else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="see --list")
    parser.add_argument("--all", action="store_true", help="play every scenario")
    parser.add_argument("--short", action="store_true", help="the short set, or its sizes")
    parser.add_argument("--list", action="store_true", help="name the scenarios")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="so many at once")
    parser.add_argument("--redis-server", type=Path, metavar="PATH", help="the server to use")
    parser.add_argument("--keep-logs", type=Path, metavar="DIR", help="keep what is written")
    options = parser.parse_args()
    unknown = [name for name in options.scenarios if name not in SCENARIOS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")
    if not (options.scenarios or options.all or options.short or options.list):
        parser.error("name a scenario, or --all")
    return options


def _chosen(options: argparse.Namespace) -> list[str]:
    if options.scenarios:
        return list(options.scenarios)
    return [one.name for one in SCENARIOS.values() if one.short or options.all]


async def _play(scenario: Scenario, logs: Path, *, short: bool) -> bool:
    """Play one scenario and print its line; whether its promise held."""
    folder = logs / scenario.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ[logbook.FOLDER] = str(folder)
    report = Report(scenario.name, scenario.promise)
    stage = Stage(folder, report, short=short)
    try:
        await scenario.play(stage)
    except StuckError as error:
        report.expect(False, str(error))
        stage.count()
    finally:
        await stage.close()
    print(report.line(), flush=True)
    return not report.failures


async def _play_all(names: list[str], logs: Path, options: argparse.Namespace) -> bool:
    """Play scenarios in processes of their own, some at once; whether all promises held."""
    places = asyncio.Semaphore(options.jobs)
    command = [sys.executable, __file__, "--keep-logs", str(logs)]
    command += ["--short"] if options.short else []

    async def play(name: str) -> bool:
        async with places:
            process = await asyncio.create_subprocess_exec(*command, name)
            return await process.wait() == 0

    return all(await asyncio.gather(*map(play, names)))


def _prefer(server: Path, folder: Path) -> None:
    """Let *server* be the first redis-server on PATH."""
    (folder / "bin").mkdir()
    (folder / "bin" / "redis-server").symlink_to(server.resolve())
    os.environ["PATH"] = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"


if __name__ == "__main__":
    sys.exit(main())
