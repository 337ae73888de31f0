"""`Claims`: who offers what under which name; a name claimed twice is nobody's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from ltq_core.errors import PluginError

if TYPE_CHECKING:
    from ltq_core.plugins.plugin import Plugin

T = TypeVar("T")


class Claims(Mapping[str, T]):
    """What all plugins offer of one kind, by name.

    Reading a name that several plugins claim raises a `PluginError` that names them
    and says how to choose; going through the names does not.

    Args:
        kind: How to speak of a name, such as ``"the scheme '{}://'"``.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._holders: dict[str, list[tuple[Plugin, T]]] = {}

    def add(self, name: str, plugin: Plugin, value: T) -> None:
        """Note that *plugin* offers *value* under *name*."""
        self._holders.setdefault(name, []).append((plugin, value))

    def __getitem__(self, name: str) -> T:
        return self._holder(name)[1]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._holders))

    def __len__(self) -> int:
        return len(self._holders)

    def __contains__(self, name: object) -> bool:
        # Mapping's own would read the name, and raise where it is disputed.
        return name in self._holders

    def owner(self, name: str) -> Plugin:
        """The one plugin that offers *name*.

        Raises:
            KeyError: None does.
            PluginError: Several do.
        """
        return self._holder(name)[0]

    def disputes(self) -> Iterator[tuple[list[Plugin], str]]:
        """The plugins of each name that several claim, with the error's sentence."""
        for name, holders in sorted(self._holders.items()):
            if len(holders) > 1:
                yield [plugin for plugin, _ in holders], self._dispute(name)

    def _holder(self, name: str) -> tuple[Plugin, T]:
        holders = self._holders[name]
        if len(holders) > 1:
            raise PluginError(self._dispute(name))
        return holders[0]

    def _dispute(self, name: str) -> str:
        plugins = [plugin for plugin, _ in self._holders[name]]
        return (
            f"{self._kind.format(name)} is offered by {listed([str(p) for p in plugins])}. "
            f"{choose([plugin.name for plugin in plugins])}"
        )


def listed(words: list[str]) -> str:
    """``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if words[1:] else words[0]


def choose(names: list[str]) -> str:
    """How to keep all but one of *names* out."""
    settings = " or ".join(f"LTQ_DISABLE_PLUGINS={name}" for name in names)
    return f"Choose one: set {settings}, or give ltq -p no:{names[0]}."
