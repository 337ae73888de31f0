"""Find, check and order plugins; schemes; the data behind ``ltq plugins list``.

Discovery happens at the first use of any of these functions, once per process.
Importing this package finds, and costs, nothing.
"""

from ltq_core.plugins.blame import blaming
from ltq_core.plugins.commands import commands, load_command
from ltq_core.plugins.lifespan import worker_lifespans
from ltq_core.plugins.middleware import (
    default_middlewares,
    find_option,
    join_late,
    load_middleware,
    middleware_specs,
    option_names,
)
from ltq_core.plugins.plugin import Plugin
from ltq_core.plugins.registry import PluginRegistry, current, disable, reset
from ltq_core.plugins.report import PluginInfo, installed, plugins_named, warn_broken
from ltq_core.plugins.schemes import broker_class, broker_from_url, scheme_of, schemes_with

__all__ = [
    "broker_class",
    "broker_from_url",
    "scheme_of",
    "schemes_with",
    "middleware_specs",
    "load_middleware",
    "default_middlewares",
    "join_late",
    "option_names",
    "find_option",
    "blaming",
    "commands",
    "load_command",
    "worker_lifespans",
    "Plugin",
    "PluginInfo",
    "installed",
    "plugins_named",
    "warn_broken",
    "PluginRegistry",
    "current",
    "disable",
    "reset",
]
