"""Find plugins: the entry points of the group ``ltq``, and which of them may be loaded."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ltq_core.logger import describe, get_logger, printable
from ltq_core.plugins.claims import choose, listed
from ltq_core.plugins.core import is_core
from ltq_core.plugins.plugin import Plugin, canonical, hint
from ltq_core.plugins.requirement import CORE, unmet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from importlib.metadata import Distribution, EntryPoint

GROUP = "ltq"
ENTRY_POINTS = "entry_points.txt"

log = get_logger("plugins")


def find(distributions: Iterable[Distribution]) -> list[Plugin]:
    """Every entry point of the group, sorted by name; nothing is imported.

    A distribution's metadata may be damaged: that is its own plugins' failure alone.
    Of several copies of a distribution, the first on the path counts.
    """
    found: dict[str, list[Plugin]] = {}
    for dist in distributions:
        if plugins := _plugins_of(dist):
            found.setdefault(canonical(plugins[0].distribution), plugins)
    everything = [plugin for plugins in found.values() for plugin in plugins]
    return sorted(everything, key=lambda plugin: (plugin.name, plugin.distribution))


def _plugins_of(dist: Distribution) -> list[Plugin]:
    # Most distributions have no plugin: they, and their faults, are not parsed.
    if f"[{GROUP}]" not in _entry_points(dist):
        return []
    name, version = _folder_name(dist)
    said: Mapping[str, Any] = {}
    damage = None
    try:
        said = dist.metadata.json  # parsed once: each property of dist parses it anew
        name, version = str(said["name"]), str(said["version"])
    except Exception as error:  # damaged metadata fails in many ways
        damage = _damage(dist, "METADATA", error)
    try:
        entries = dist.entry_points.select(group=GROUP)
        plugins = [_plugin(entry, name, version, said, dist) for entry in entries]
    except Exception as error:
        damage = _damage(dist, ENTRY_POINTS, error)
        plugins = [Plugin(name, "", name, version, location=str(dist.locate_file("")))]
    if damage is not None:
        for plugin in plugins:
            plugin.take_out("broken", plugin.failure(damage))
    return plugins


def _entry_points(dist: Distribution) -> str:
    try:
        return dist.read_text(ENTRY_POINTS) or ""
    except UnicodeDecodeError as error:
        return error.object.decode(errors="replace")


def _folder_name(dist: Distribution) -> tuple[str, str]:
    """Name and version as the folder of the metadata has them."""
    name, _, version = _folder(dist).stem.partition("-")
    return canonical(name), version


def _folder(dist: Distribution) -> Path:
    # No public name tells it. A finder of another kind may have none.
    return Path(getattr(dist, "_path", "unknown-unknown.dist-info"))


def _damage(dist: Distribution, file: str, error: Exception) -> ImportError:
    # An installation that is not whole, like a module that is missing.
    place = _folder(dist) / file
    return ImportError(f"{place} is damaged ({describe(error)})")


def _plugin(
    entry: EntryPoint, name: str, version: str, said: Mapping[str, Any], dist: Distribution
) -> Plugin:
    return Plugin(
        entry.name,
        entry.value.partition("[")[0].strip(),  # extras may follow; nobody uses them
        name,
        version,
        summary=said.get("summary", ""),
        requires=said.get("requires_dist", ()),
        location=str(dist.locate_file("")),
    )


def exclude(plugins: list[Plugin], disabled: Mapping[str, str], core_version: str) -> None:
    """Take out what the user disabled, what needs another core, and namesakes.

    Args:
        plugins: What was found.
        disabled: Canonical names of plugins or distributions, each with the setting
            that disables it.
        core_version: The version of ltq-core that runs.
    """
    for plugin in plugins:
        if settings := sorted(disabled[n] for n in plugin.names() & disabled.keys()):
            plugin.take_out(
                "disabled",
                f"Plugin {plugin} is disabled by {settings[0]}. Leave that out to use it.",
            )
    _warn_unknown(plugins, disabled)
    for plugin in (p for p in plugins if p.state == "ok"):
        _require_core(plugin, core_version)
    remaining = [plugin for plugin in plugins if plugin.state == "ok"]
    for _, group in groupby(remaining, key=lambda plugin: plugin.name):
        _refuse_namesakes(list(group))


def _warn_unknown(plugins: list[Plugin], disabled: Mapping[str, str]) -> None:
    known = {name for plugin in plugins for name in plugin.names()}
    for name in sorted(disabled.keys() - known):
        log.warning(
            "No plugin named '%s' is installed, so %s cannot disable it. %s",
            printable(name),
            disabled[name],
            hint(name, plugins),
        )


def _require_core(plugin: Plugin, version: str) -> None:
    try:
        wanted = unmet(plugin.requires, version)
    except ValueError as error:  # packaging's InvalidRequirement is one
        plugin.take_out("broken", plugin.failure(error))
        return
    if wanted:
        plugin.take_out(
            "incompatible",
            f"Plugin {plugin} needs {CORE}{wanted}, but {version} is installed. "
            f"Run: pip install --upgrade {CORE} {plugin.distribution}, "
            f"or set LTQ_DISABLE_PLUGINS={plugin.name}.",
        )


def _refuse_namesakes(plugins: list[Plugin]) -> None:
    if len(plugins) < 2:
        return
    if any(map(is_core, plugins)):
        _keep_the_cores(plugins)
        return
    owners = [f"{plugin.distribution} {plugin.version}" for plugin in plugins]
    for plugin in plugins:
        plugin.take_out(
            "conflict",
            f"The plugin name '{plugin.name}' is taken by {listed(owners)}, so neither is "
            f"used. {choose([other.distribution for other in plugins])}",
        )


def _keep_the_cores(plugins: list[Plugin]) -> None:
    for plugin in plugins:
        if not is_core(plugin):
            # By its distribution: its name would keep the core's own out as well.
            plugin.take_out(
                "conflict",
                f"Plugin {plugin} has the name of the core's own, which stands, so it is not "
                f"used. Update it, or set LTQ_DISABLE_PLUGINS={plugin.distribution}.",
            )
