"""The packages as their users get them: built, and installed into clean environments."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from email import message_from_bytes
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from ltq_core import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    Build = Callable[["Package"], "Built"]

ROOT = Path(__file__).parents[1]


class Package(NamedTuple):
    """One of the packages, and what is expected of it."""

    name: str
    modules: tuple[str, ...]
    plugin: str
    schemes: frozenset[str] = frozenset()

    @property
    def folder(self) -> Path:
        return ROOT / self.name.replace("-", "_")


REDIS = "redis unix valkey redis+sentinel redis+cluster"
SECURE = "rediss valkeys rediss+sentinel rediss+cluster"
CORE = Package("ltq-core", ("ltq", "ltq_core"), "limits")
PACKAGES = [
    CORE,
    Package("ltq-memory", ("ltq_memory",), "memory", frozenset({"memory"})),
    Package("ltq-redis", ("ltq_redis",), "redis", frozenset(f"{REDIS} {SECURE}".split())),
    Package("ltq-sentry", ("ltq_sentry",), "sentry"),
]

each_package = pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)


def project(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text())["project"]


def run(*command: str | Path) -> str:
    """What *command* writes to stdout; it must succeed and write nothing to stderr."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


class Built(NamedTuple):
    """The distributions of one package."""

    sdist: Path
    wheel: Path


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Builds a package once: its source distribution, and the wheel from that."""
    folder = tmp_path_factory.mktemp("dist")
    # Without isolation nothing is fetched: hatchling is one of our tools anyway.
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]

    @cache
    def built(package: Package) -> Built:
        subprocess.run([*command, package.folder], capture_output=True, text=True, check=True)
        stem = f"{package.folder.name}-{__version__}"
        return Built(folder / f"{stem}.tar.gz", folder / f"{stem}-py3-none-any.whl")

    return built


@each_package
def test_package_has_the_one_version(package: Package) -> None:
    assert project(package.folder)["version"] == __version__


def test_workspace_has_the_one_version() -> None:
    assert project(ROOT)["version"] == __version__


@pytest.mark.parametrize("package", PACKAGES[1:], ids=lambda package: package.name)
def test_plugin_asks_for_the_core_of_its_own_minor_version(package: Package) -> None:
    major, minor = (int(part) for part in __version__.split(".")[:2])

    wanted = f"ltq-core>={major}.{minor},<{major}.{minor + 1}"
    assert wanted in project(package.folder)["dependencies"]


@each_package
def test_package_carries_the_licence(package: Package) -> None:
    assert (package.folder / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


@pytest.mark.wheels
@each_package
def test_distributions_hold_all_of_the_package_and_nothing_else(
    package: Package, build: Build
) -> None:
    sdist, wheel = build(package)

    source = package.folder / "src"
    files = {
        str(path.relative_to(source))
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {f"{module}/py.typed" for module in package.modules} <= files
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert packed == files
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"src/{file}" for file in files} <= packed
    assert {"LICENSE", "README.md", "pyproject.toml"} <= packed


@pytest.mark.wheels
@each_package
def test_wheel_describes_the_package(package: Package, build: Build) -> None:
    wheel = build(package).wheel

    info = f"{package.folder.name}-{__version__}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        assert f"{info}/licenses/LICENSE" in archive.namelist()
        metadata = message_from_bytes(archive.read(f"{info}/METADATA"))
        entry_points = archive.read(f"{info}/entry_points.txt").decode()
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert str(metadata.get_payload()).startswith(f"# {package.name}\n")
    assert f"[ltq]\n{package.plugin} = " in entry_points


@pytest.mark.wheels
@each_package
def test_package_works_in_an_environment_of_its_own(
    package: Package, build: Build, tmp_path: Path
) -> None:
    wheels = [build(one).wheel for one in dict.fromkeys([CORE, package])]
    environment = tmp_path / "environment"
    venv.create(environment, symlinks=True)
    bin_ = environment / "bin"
    pip = (sys.executable, "-m", "pip", "--python", bin_ / "python", "--quiet")
    command = [*pip, "install", "--no-compile", *wheels]
    subprocess.run(command, check=True, capture_output=True, text=True)

    for module in package.modules:
        run(bin_ / "python", "-W", "error", "-c", f"from {module} import *")
    assert run(bin_ / "ltq", "--version") == f"ltq {__version__}\n"
    plugins = json.loads(run(bin_ / "ltq", "plugins", "list", "--json"))
    listed = {plugin["name"]: plugin for plugin in plugins}
    assert set(listed) == {CORE.plugin, package.plugin}
    assert {one["state"] for one in listed.values()} == {"ok"}
    assert listed[package.plugin]["distribution"] == package.name
    assert set(listed[package.plugin]["schemes"]) == package.schemes
    assert run(bin_ / "ltq", "plugins", "check") != ""
