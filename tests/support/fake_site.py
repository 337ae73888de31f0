"""Distributions made for a test, laid out on disk as an installer leaves them."""

from __future__ import annotations

import sys
from importlib import metadata
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from ltq_core import plugins
from ltq_core.broker import Broker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ltq_core.message import Message


class SoundBroker(Broker):
    """Fulfils the contract's form, and stores nothing."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def publish(self, message: Message, delay: float = 0) -> None: ...
    async def consume(self, queue: str) -> Message:
        raise NotImplementedError

    async def ack(self, message: Message) -> None: ...
    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None: ...
    async def size(self, queue: str) -> int:
        return 0

    async def clear(self, queue: str) -> None: ...
    async def close(self) -> None: ...


def answering(hook: str, answer: str) -> str:
    """The source of a plugin whose *hook* answers the expression *answer*."""
    return f"""
from ltq_core import MiddlewareSpec, hookimpl

@hookimpl
def {hook}():
    return {answer}
"""


def offering(*schemes: str, target: str = "fake_site:SoundBroker") -> str:
    """The source of a plugin with a broker for *schemes*."""
    return answering("ltq_register_brokers", repr(dict.fromkeys(schemes, target)))


class FakeSite:
    """A directory on ``sys.path`` to which a test adds distributions.

    Args:
        root: The directory, empty at first.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(
        self, distribution: str, plugins: dict[str, str], requires: str = "ltq-core"
    ) -> None:
        """Install version 1.0 of *distribution* with *plugins*: names and their source."""
        entries = ["[ltq]"]
        for name, source in plugins.items():
            module = f"{distribution}_{name}".replace("-", "_")
            (self.root / f"{module}.py").write_text(dedent(source))
            entries.append(f"{name} = {module}")
        self.describe(distribution, "\n".join(entries), requires)

    def describe(
        self, distribution: str, entry_points: str, requires: str = "ltq-core"
    ) -> Path:
        """Write the metadata of *distribution*, and no code."""
        info = self.root / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "entry_points.txt").write_text(entry_points)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
            f"Summary: Made for a test\nRequires-Dist: {requires}\n"
        )
        return info

    def use(self, **settings: Any) -> plugins.PluginRegistry:
        """Let LTQ see this directory's distributions, and no others."""
        found = list(metadata.distributions(path=[str(self.root)]))
        registry = plugins.PluginRegistry(found, core_version="0.1.0", **settings)
        plugins.reset(registry)
        return registry

    def forget(self) -> None:
        """Drop what was imported from here, so that the next test imports its own."""
        plugins.reset()
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(str(self.root)):
                del sys.modules[name]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSite]:
    """An empty directory of distributions, in use until the test ends."""
    monkeypatch.syspath_prepend(str(tmp_path))
    site = FakeSite(tmp_path)
    yield site
    site.forget()
