"""Import what a plugin named by an import string."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ltq_core.errors import PluginError
from ltq_core.logger import harmless

if TYPE_CHECKING:
    from ltq_core.plugins.plugin import Plugin


def import_string(target: str) -> Any:
    """The module or object that ``module`` or ``module:object`` names.

    Raises:
        ImportError: There is none. What the module itself raises passes through.
    """
    module, _, path = target.partition(":")
    found: Any = importlib.import_module(module)
    for name in filter(None, path.split(".")):
        try:
            found = getattr(found, name)
        except AttributeError as error:
            raise ImportError(f"'{module}' has no '{path}'") from error
    return found


def import_part(plugin: Plugin, part: str, target: object) -> Any:
    """What *target* names; itself, if it is no string.

    Args:
        plugin: Whose it is.
        part: How to speak of it, such as ``"Broker 'nats://'"``.
        target: The import string, or the object.

    Raises:
        PluginError: It cannot be imported; says whose it is and what to do.
    """
    if not isinstance(target, str):
        return target
    try:
        return import_string(target)
    except KeyboardInterrupt as error:
        error.add_note(plugin.interrupted())
        raise
    except BaseException as error:  # an import may end in anything, SystemExit too
        raise PluginError(plugin.failure(error, part)) from harmless(error)
