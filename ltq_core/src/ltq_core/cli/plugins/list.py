"""``ltq plugins list``."""

from __future__ import annotations

from dataclasses import asdict

from ltq_core.cli.options import json_option
from ltq_core.cli.output import print_json, print_table, prints_aside
from ltq_core.cli.toolkit import click
from ltq_core.plugins import PluginInfo, current, installed


@click.command("list")
@click.option("--all", "everything", is_flag=True, help="Show options and commands too.")
@click.option("--broken", is_flag=True, help="Only plugins that something is wrong with.")
@click.option("--scheme", help="Only plugins with a broker for this URL scheme.")
@json_option
def list_plugins(everything: bool, broken: bool, scheme: str | None, as_json: bool) -> None:
    """List the installed plugins, whatever their state."""
    with prints_aside():
        infos = [info for info in installed() if _wanted(info, broken, scheme)]
    if as_json:
        print_json([asdict(info) for info in infos])
    elif infos:
        columns = [_columns(info, everything) for info in infos]
        print_table([list(columns[0]), *(list(row.values()) for row in columns)], note=True)
    else:
        click.echo(_nothing(broken, scheme), err=True)
    current().check()


def _wanted(info: PluginInfo, broken: bool, scheme: str | None) -> bool:
    offers = scheme is None or scheme.partition(":")[0].lower() in info.schemes
    return offers and (not broken or info.state not in ("ok", "disabled"))


def _nothing(broken: bool, scheme: str | None) -> str:
    if broken and scheme is None:
        return "Nothing is wrong with any plugin."
    return "No such plugin is installed. See: ltq plugins list."


def _columns(info: PluginInfo, everything: bool) -> dict[str, str]:
    columns = {
        "PLUGIN": info.name,
        "DISTRIBUTION": f"{info.distribution} {info.version}",
        "STATE": info.state,
        "SCHEMES": ", ".join(info.schemes),
        "MIDDLEWARE": ", ".join(info.middleware),
    }
    if everything:
        columns |= {"OPTIONS": ", ".join(info.options), "COMMANDS": ", ".join(info.commands)}
    return {name: cell or "-" for name, cell in columns.items()} | {"ERROR": info.error or ""}
