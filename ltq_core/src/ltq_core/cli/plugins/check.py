"""``ltq plugins check``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ltq_core.cli.options import json_option
from ltq_core.cli.output import folded_text, print_json, prints_aside
from ltq_core.cli.plugins.contract import broker_problems, command_problems, middleware_problems
from ltq_core.cli.toolkit import click
from ltq_core.errors import PluginError
from ltq_core.plugins import Plugin, current, plugins_named
from ltq_core.plugins.imports import import_part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@click.command("check")
@click.argument("name", required=False)
@json_option
@click.pass_context
def check_plugins(context: click.Context, name: str | None, as_json: bool) -> None:
    """Import what plugins offer and hold it against LTQ's contracts.

    NAME is a plugin or a distribution; without it, every plugin is checked. Exits with
    1 if anything is wrong.
    """
    with prints_aside():
        plugins = plugins_named(name) if name else current().everything.plugins
        found = {plugin: _problems(plugin) for plugin in plugins}
    if as_json:
        print_json([_as_object(*item) for item in found.items()])
    else:
        click.echo("\n".join(line for item in found.items() for line in _lines(*item)))
    if any(found.values()):
        context.exit(1)


def _as_object(plugin: Plugin, problems: list[str]) -> dict[str, Any]:
    return {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "problems": problems,
    }


def _lines(plugin: Plugin, problems: list[str]) -> list[str]:
    texts = [f"{plugin.name}: {text}" for text in problems or [plugin.state]]
    return [line for text in texts for line in folded_text(text, "  ")]


def _problems(plugin: Plugin) -> list[str]:
    """All that is wrong with *plugin*, each a sentence; one that is disabled is let be."""
    if plugin.state == "disabled":
        return []
    found = [plugin.error] if plugin.error else []
    if plugin.implementation is not None and not plugin.hooks:
        found.append(f"'{plugin.value}' implements no hook. Is it the right entry point?")
    for part, target, examine in _parts(plugin):
        try:
            found.extend(examine(import_part(plugin, part, target)))
        except PluginError as failure:
            found.append(str(failure))
    return found


def _parts(plugin: Plugin) -> Iterator[tuple[str, object, Callable[[Any], Iterator[str]]]]:
    # Several schemes may share a broker, which is examined once.
    brokers = {str(target): scheme for scheme, target in plugin.brokers.items()}
    for scheme in brokers.values():
        yield f"Broker '{scheme}://'", plugin.brokers[scheme], broker_problems
    for spec in plugin.middleware:
        yield f"Middleware '{spec.name}'", spec.target, partial(middleware_problems, spec)
    for name, command in plugin.commands.items():
        yield f"Command '{name}'", command, command_problems
