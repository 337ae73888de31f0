"""Run LTQ and its peers on the same work, in turn, on one Redis; print the medians.

    python tests/benchmarks/run.py [--quick] [--peers ltq,saq] [--work drain,send]

Needs psutil and redis here, a `redis-server`, and a package index for the peers'
environments, which are made at the first run. See the README.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
from catalog import PEERS, Peer
from processes import ProcessFailedError
from reach import reach_table
from server import Server, running_server
from stage import Stage
from table import Results, work_table
from venvs import InstallError, environment, version
from works import BASELINE_WORKS, OUR_WORKS, QUICK, WORKS, Sizes

_CACHE = Path.home() / ".cache" / "ltq-benchmarks"


def main() -> None:
    """Measure what the command line asks for; print also what an interrupt leaves."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # runs every finally
    results = Results()
    environments = dict(_installed(options.peers, options.cache, results))
    about: dict[str, str] = {}
    try:
        with _server(options.redis_server) as (server, scratch):
            about |= _about(server, environments)
            about["work"] = "quick: too little to judge by" if options.quick else "full"
            _measure(options, _stages(environments, server, scratch), results)
    finally:
        print(_text(about, results, options))
        if options.json:
            _write(options.json, about, results)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peers", type=_names(PEERS), default=list(PEERS), metavar="A,B")
    parser.add_argument("--work", type=_names(WORKS), default=list(WORKS), metavar="A,B")
    parser.add_argument("--rounds", type=int, help="3, or 1 with --quick")
    parser.add_argument("--quick", action="store_true", help="about a tenth of the work")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every round's figures")
    parser.add_argument("--cache", type=_folder, default=_CACHE, help="the peers' environments")
    parser.add_argument(
        "--redis-server", default=shutil.which("redis-server") or "redis-server"
    )
    return parser.parse_args()


def _folder(text: str) -> Path:
    return Path(text).expanduser().resolve()


def _names(known: Iterable[str]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        if unknown := set(names).difference(known):
            raise argparse.ArgumentTypeError(
                f"unknown: {', '.join(unknown)} (known: {', '.join(known)})"
            )
        return names

    return parse


def _installed(
    peers: Iterable[str], cache: Path, results: Results
) -> Iterator[tuple[str, Path]]:
    for name in peers:
        try:
            yield name, environment(PEERS[name], cache)
        except InstallError as error:
            results.fail(name, "install", str(error))


@contextmanager
def _server(program: str) -> Iterator[tuple[Server, Path]]:
    with (
        tempfile.TemporaryDirectory(prefix="ltq-benchmarks-") as scratch,
        running_server(program, Path(scratch)) as server,
    ):
        yield server, Path(scratch)


def _stages(environments: Mapping[str, Path], server: Server, scratch: Path) -> list[Stage]:
    return [
        Stage(PEERS[name], folder, server, scratch) for name, folder in environments.items()
    ]


def _measure(options: argparse.Namespace, stages: list[Stage], results: Results) -> None:
    """Every peer does one kind of work before the next: A B A B over the rounds."""
    sizes = QUICK if options.quick else Sizes()
    rounds = options.rounds or (1 if options.quick else 3)
    for turn in range(rounds):
        for work in options.work:
            for stage in stages:
                if _takes_part(stage.peer, work):
                    print(f"{turn + 1}/{rounds} {work} {stage.peer.name}", file=sys.stderr)
                    _measure_one(stage, work, sizes, results)


def _measure_one(stage: Stage, work: str, sizes: Sizes, results: Results) -> None:
    stage.server.flush()
    try:
        results.add(stage.peer.name, work, WORKS[work](stage, sizes))
    except (ProcessFailedError, psutil.Error) as error:
        results.fail(stage.peer.name, work, str(error))


def _takes_part(peer: Peer, work: str) -> bool:
    if peer.is_baseline:
        return work in BASELINE_WORKS
    return peer.is_ours or work not in OUR_WORKS


def _about(server: Server, environments: Mapping[str, Path]) -> dict[str, str]:
    versions = (
        f"{name} {version(PEERS[name], folder)}" for name, folder in environments.items()
    )
    return {
        "machine": f"{os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}",
        "system": platform.platform(),
        "python": platform.python_version(),
        "redis": server.version(),
        "peers": ", ".join(versions),
    }


def _text(about: Mapping[str, str], results: Results, options: argparse.Namespace) -> str:
    head = "\n".join(f"{name}: {value}" for name, value in about.items())
    failed = "\n".join(
        f"{peer}  failed to install: {reasons['install']}"
        for peer, reasons in results.failures.items()
        if "install" in reasons
    )
    tables = [work_table(results, work, options.peers) for work in options.work]
    return "\n\n".join(filter(None, [head, failed, *tables, reach_table(results)]))


def _write(path: Path, about: Mapping[str, str], results: Results) -> None:
    everything = {
        "about": about,
        "medians": results.medians(),
        "rounds": results.figures,
        "failures": results.failures,
    }
    path.write_text(json.dumps(everything, indent=2) + "\n")


if __name__ == "__main__":
    main()
