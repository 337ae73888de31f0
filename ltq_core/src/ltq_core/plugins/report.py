"""What is installed and what is wrong with it: the data behind ``ltq plugins list``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ltq_core.errors import ConfigurationError
from ltq_core.logger import printable
from ltq_core.plugins.plugin import canonical, hint
from ltq_core.plugins.registry import current

if TYPE_CHECKING:
    from logging import Logger

    from ltq_core.plugins.plugin import Plugin, State


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """One installed plugin.

    Attributes:
        name: The entry point's name.
        distribution: The distribution that installed it.
        version: That distribution's version.
        state: ``ok``, ``disabled``, ``broken``, ``incompatible`` or ``conflict``.
        error: What is wrong and what to do; None where nothing is.
        schemes: The URL schemes for which it offers brokers.
        middleware: The names of its middleware.
        options: The task options that its middleware understands.
        commands: The subcommands of ``ltq`` that it offers.
    """

    name: str
    distribution: str
    version: str
    state: State
    error: str | None
    schemes: tuple[str, ...]
    middleware: tuple[str, ...]
    options: tuple[str, ...]
    commands: tuple[str, ...]

    @classmethod
    def of(cls, plugin: Plugin) -> PluginInfo:
        """What there is to say of *plugin*."""
        return cls(
            plugin.name,
            plugin.distribution,
            plugin.version,
            plugin.state,
            plugin.error or None,
            tuple(sorted(plugin.brokers)),
            tuple(spec.name for spec in plugin.middleware),
            tuple(option for spec in plugin.middleware for option in spec.options),
            tuple(sorted(plugin.commands)),
        )


def installed() -> list[PluginInfo]:
    """Every installed plugin, whatever its state, sorted by name."""
    return [PluginInfo.of(plugin) for plugin in current().everything.plugins]


def warn_broken(log: Logger) -> None:
    """Log a warning line for all that keeps a plugin from being used as installed.

    What two plugins claim is one line: neither wins silently.

    Raises:
        PluginError: There is one, and plugins are strict.
    """
    plugins = current().found.plugins
    errors = [plugin.error for plugin in plugins if plugin.state not in ("ok", "disabled")]
    for error in dict.fromkeys(errors):
        log.warning("%s", error)


def plugins_named(name: str) -> list[Plugin]:
    """The plugins that *name* means, by their own or their distribution's name.

    Raises:
        ConfigurationError: There is none; suggests the nearest name.
    """
    plugins = current().everything.plugins
    if found := [plugin for plugin in plugins if canonical(name) in plugin.names()]:
        return found
    names = sorted({plugin.name for plugin in plugins})
    raise ConfigurationError(
        f"No plugin named '{printable(name)}' is installed "
        f"(installed: {', '.join(names)}). {hint(name, plugins)}"
    )
