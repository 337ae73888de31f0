"""`PluginRegistry`: what discovery found, found once; and the one of this process."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ltq_core.errors import PluginError
from ltq_core.plugins.claims import Claims
from ltq_core.plugins.plugin import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from importlib.metadata import Distribution

    import pluggy

    from ltq_core.middleware import MiddlewareSpec
    from ltq_core.plugins.plugin import BrokerTarget, CommandTarget, Plugin


@dataclass(slots=True, eq=False)
class Found:
    """What discovery found.

    Attributes:
        plugins: Every installed plugin, whatever its state, sorted by name.
        manager: Knows the loaded ones.
        brokers: What they offer by URL scheme.
        middleware: What they offer by the middleware's name.
        options: The middleware that understands a task option, by the option's name.
        commands: What they offer by the command's name.
    """

    plugins: list[Plugin]
    manager: pluggy.PluginManager
    brokers: Claims[BrokerTarget] = field(default_factory=lambda: Claims("Scheme '{}://'"))
    middleware: Claims[MiddlewareSpec] = field(
        default_factory=lambda: Claims("Middleware '{}'")
    )
    options: Claims[MiddlewareSpec] = field(default_factory=lambda: Claims("Task option '{}'"))
    commands: Claims[CommandTarget] = field(default_factory=lambda: Claims("Command '{}'"))

    def collect(self, plugin: Plugin) -> None:
        """Add what *plugin* offers."""
        for scheme, broker in plugin.brokers.items():
            self.brokers.add(scheme, plugin, broker)
        for spec in plugin.middleware:
            self.middleware.add(spec.name, plugin, spec)
            for option in spec.options:
                self.options.add(option, plugin, spec)
        for name, command in plugin.commands.items():
            self.commands.add(name, plugin, command)

    def mark_disputes(self) -> None:
        """Note on each plugin what another one claims as well."""
        for claims in (self.brokers, self.middleware, self.options, self.commands):
            for plugins, sentence in claims.disputes():
                for plugin in plugins:
                    plugin.dispute(sentence)


class PluginRegistry:
    """The plugins of some distributions: found at first use, and only once.

    Args:
        distributions: Where to look; None means all that are installed.
        disabled: Canonical names of plugins and distributions to keep out, each with
            the setting that says so.
        strict: Whether a plugin that cannot be used is an error for everybody.
        core_version: The running ltq-core's version; None means what it says itself.

    Concurrency:
        Safe from any thread; others wait while one discovers.
    """

    def __init__(
        self,
        distributions: Iterable[Distribution] | None = None,
        *,
        disabled: Mapping[str, str] | None = None,
        strict: bool = False,
        core_version: str | None = None,
    ) -> None:
        self.disabled = dict(disabled or {})
        self.strict = strict
        self._distributions = distributions
        self._core_version = core_version
        self._found: Found | None = None
        self._lock = threading.RLock()
        self._busy = False

    @property
    def everything(self) -> Found:
        """What there is, the unusable included, even where that is an error."""
        with self._lock:
            if self._found is None:
                self._found = self._discover()
            return self._found

    @property
    def found(self) -> Found:
        """What there is, for use.

        Raises:
            PluginError: A plugin is unusable and the registry strict.
        """
        self.check()
        return self.everything

    def check(self) -> None:
        """Raise a `PluginError` where a plugin is unusable and the registry strict."""
        failures = [
            p.error for p in self.everything.plugins if p.state not in ("ok", "disabled")
        ]
        if self.strict and failures:
            raise PluginError(" ".join(failures))

    def _discover(self) -> Found:
        if self._busy:
            # The lock lets its own thread pass: this is a plugin's import.
            raise PluginError("plugins cannot be used while they are being loaded")
        self._busy = True
        try:
            return self._load()
        finally:
            self._busy = False

    def _load(self) -> Found:
        from importlib import metadata

        from ltq_core import __version__
        from ltq_core.plugins import core, discovery, loading

        where = self._distributions
        plugins = discovery.find(metadata.distributions() if where is None else where)
        discovery.exclude(plugins, self.disabled, self._core_version or __version__)
        found = Found(plugins, loading.new_manager())
        for plugin in plugins:
            if plugin.state == "ok":
                loading.load(plugin, found.manager)
        core.protect(plugins)
        for plugin in plugins:
            found.collect(plugin)
        found.mark_disputes()
        return found


class _Process:
    """This process's registry, and what the command line keeps out of it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.registry: PluginRegistry | None = None
        self.kept_out: dict[str, str] = {}


_process = _Process()


def current() -> PluginRegistry:
    """This process's registry, made from the environment at its first use."""
    with _process.lock:
        if _process.registry is None:
            _process.registry = PluginRegistry(
                disabled=_disabled_by_environment() | _process.kept_out,
                strict=os.environ.get("LTQ_STRICT_PLUGINS", "") not in ("", "0"),
            )
        return _process.registry


def disable(names: Iterable[str]) -> None:
    """Keep plugins out of this process, by plugin or distribution name.

    What ``ltq -p no:NAME`` calls, before anything uses plugins.
    """
    with _process.lock:
        _process.kept_out.update({canonical(name): f"-p no:{name}" for name in names})
        _process.registry = None


def reset(registry: PluginRegistry | None = None) -> None:
    """Forget what was found and disabled; let *registry*, if any, serve. For tests."""
    with _process.lock:
        _process.kept_out.clear()
        _process.registry = registry


def _disabled_by_environment() -> dict[str, str]:
    names = os.environ.get("LTQ_DISABLE_PLUGINS", "").split(",")
    return {canonical(name.strip()): "LTQ_DISABLE_PLUGINS" for name in names if name.strip()}
