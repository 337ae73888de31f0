"""Public names that are imported at their first use, so that importing LTQ costs little."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def lazy_names(
    module: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """A ``__getattr__`` and a ``__dir__`` for *module*.

    A name whose package is not installed is not listed, so that ``help()`` works. It
    cannot be an AttributeError too, for ``hasattr``: ``from module import name`` would
    hide what is missing.

    Args:
        module: Its ``__name__``.
        homes: Each name with the module that it is imported from; a submodule of
            *module* stands with itself.

    Raises:
        AttributeError: From ``__getattr__``, for any other name.
        ImportError: Likewise, where the package of a name's home is not installed.
    """
    namespace = vars(sys.modules[module])

    def find(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module '{module}' has no attribute '{name}'")
        if homes[name] == name:
            return import_module(f"{module}.{name}")
        try:
            namespace[name] = getattr(import_module(homes[name]), name)
        except ModuleNotFoundError as error:
            package = homes[name].partition(".")[0]
            if error.name != package:
                raise
            wanted = package.replace("_", "-")
            raise ImportError(
                f"{module}.{name} needs the package {wanted}. Run: pip install {wanted}"
            ) from error
        return namespace[name]

    def offered() -> list[str]:
        there = (name for name, home in homes.items() if home == name or _is_installed(home))
        return sorted({*namespace, *there})

    return find, offered


def _is_installed(home: str) -> bool:
    from importlib.util import find_spec

    return find_spec(home.partition(".")[0]) is not None
