"""``ltq plugins show``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ltq_core.abilities import abilities_of
from ltq_core.broker import Broker
from ltq_core.cli.options import json_option
from ltq_core.cli.output import folded_text, print_json, prints_aside
from ltq_core.cli.toolkit import click
from ltq_core.errors import PluginError
from ltq_core.plugins import Plugin, PluginInfo, plugins_named
from ltq_core.plugins.imports import import_part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ltq_core.middleware import MiddlewareSpec


_LABEL = 14  # the width of the widest label, and a space


@click.command("show")
@click.argument("name")
@json_option
def show_plugin(name: str, as_json: bool) -> None:
    """Show all about a plugin; its brokers are imported.

    NAME is a plugin or a distribution.
    """
    with prints_aside():
        details = [_details(plugin) for plugin in plugins_named(name)]
    if as_json:
        print_json(details)
    else:
        click.echo("\n\n".join("\n".join(_lines(one)) for one in details))


def _details(plugin: Plugin) -> dict[str, Any]:
    """All that is known of *plugin*: what `PluginInfo` says, and more."""
    return asdict(PluginInfo.of(plugin)) | {
        "summary": plugin.summary,
        "location": _location(plugin),
        "hooks": plugin.hooks,
        "brokers": _brokers(plugin),
        "middleware": [_middleware(spec) for spec in plugin.middleware],
        "load_seconds": round(plugin.load_seconds, 6),
    }


def _location(plugin: Plugin) -> str:
    module = sys.modules.get(plugin.value.partition(":")[0])
    return getattr(module, "__file__", None) or plugin.location


def _brokers(plugin: Plugin) -> list[dict[str, Any]]:
    # Several schemes may share a broker.
    schemes: dict[str, list[str]] = {}
    for scheme, target in plugin.brokers.items():
        schemes.setdefault(_target(target), []).append(scheme)
    return [_broker(plugin, target, names) for target, names in schemes.items()]


def _broker(plugin: Plugin, target: str, schemes: list[str]) -> dict[str, Any]:
    shown: dict[str, Any] = {"schemes": schemes, "target": target, "error": None}
    try:
        broker = import_part(plugin, f"Broker '{schemes[0]}://'", plugin.brokers[schemes[0]])
    except PluginError as error:
        return shown | {"error": str(error)}
    if not (isinstance(broker, type) and issubclass(broker, Broker)):
        return shown  # what a function makes is known only once it is called
    return shown | {
        "durable": broker.durable,
        "shared": broker.shared,
        "abilities": abilities_of(broker),
    }


def _middleware(spec: MiddlewareSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "target": _target(spec.target),
        "phase": spec.phase,
        "default": spec.default if isinstance(spec.default, bool) else "conditional",
        "options": spec.options,
    }


def _target(target: object) -> str:
    return target if isinstance(target, str) else repr(target)


def _lines(details: dict[str, Any]) -> Iterator[str]:
    for label, values in _facts(details):
        for index, value in enumerate(values or ["-"]):
            head = f"{label + ':' if index == 0 else '':{_LABEL}}"
            yield from folded_text(head + value, " " * (_LABEL + 2))


def _facts(details: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    yield "Plugin", [details["name"]]
    yield "Distribution", [f"{details['distribution']} {details['version']}"]
    yield "Summary", [details["summary"] or "-"]
    yield "Location", [details["location"]]
    yield "State", [details["state"], *filter(None, [details["error"]])]
    yield "Hooks", list(details["hooks"])
    yield "Brokers", [_broker_line(broker) for broker in details["brokers"]]
    yield "Middleware", [_middleware_line(spec) for spec in details["middleware"]]
    yield "Commands", [f"ltq {name}" for name in details["commands"]]
    yield "Load time", [f"{details['load_seconds'] * 1000:.1f} ms"]


def _broker_line(broker: dict[str, Any]) -> str:
    schemes = ", ".join(f"{scheme}://" for scheme in broker["schemes"])
    if broker["error"]:
        return f"{schemes}  {broker['error']}"
    if "abilities" not in broker:
        return f"{schemes}  {broker['target']} (abilities known once it is called)"
    traits = ["durable" if broker["durable"] else "not durable"]
    traits.append("shared by processes" if broker["shared"] else "for one process")
    abilities = ", ".join(broker["abilities"]) or "no further abilities"
    return f"{schemes}  {broker['target']}: {', '.join(traits)}; {abilities}"


def _middleware_line(spec: dict[str, Any]) -> str:
    default = {True: "default", False: "on request"}.get(spec["default"], spec["default"])
    options = f"; options: {', '.join(spec['options'])}" if spec["options"] else ""
    return f"{spec['name']}  {spec['target']} ({spec['phase']}, {default}){options}"
