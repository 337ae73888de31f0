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

    return find, lambda: sorted({*namespace, *homes})
