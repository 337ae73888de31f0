"""``module:object``: the user's worker, app or scheduler, or what is wrong with the name."""

from __future__ import annotations

import importlib
import os
import sys
from functools import reduce
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Literal

from ltq_core.cli.failures import print_traceback
from ltq_core.cli.output import prints_aside
from ltq_core.errors import ConfigurationError, LTQError
from ltq_core.logger import describe, typed, with_article
from ltq_core.nearest import nearest

if TYPE_CHECKING:
    from types import ModuleType, TracebackType

Kind = Literal["worker", "app", "scheduler"]

_CLASSES: dict[Kind, tuple[str, str]] = {
    "worker": ("ltq_core.worker", "Worker"),
    "app": ("ltq_core.app", "App"),
    "scheduler": ("ltq_core.scheduler", "Scheduler"),
}


@prints_aside()
def load_target(target: str, *kinds: Kind) -> Any:
    """The object that *target* names, one of *kinds*.

    Its module is found on ``sys.path``, the current directory last.

    Raises:
        ConfigurationError: It is malformed, or there is no such thing; suggests one.
            Where the module itself failed, its traceback was printed.
    """
    name, path = _split(target)
    module = _import(name)
    try:
        found = reduce(getattr, path.split("."), module)
    except AttributeError:
        raise ConfigurationError(
            f"Module '{name}' has no '{path}'. {_suggest(module, path, kinds)}"
        ) from None
    if kind_of(found) not in kinds:
        raise ConfigurationError(
            f"'{target}' is {typed(found)}, not {_either(kinds)}. "
            f"{_suggest(module, path, kinds)}"
        )
    return found


def kind_of(thing: object) -> Kind | None:
    """Whether *thing* is a worker, an app, a scheduler or none of them."""
    for kind, (module, name) in _CLASSES.items():
        # Of a class whose module nobody imported there is no instance.
        if module in sys.modules and isinstance(thing, getattr(sys.modules[module], name)):
            return kind
    return None


def _split(target: str) -> tuple[str, str]:
    module, _, path = target.partition(":")
    if module.endswith(".py") or os.sep in module:
        dotted = module.removesuffix(".py").strip("./").replace(os.sep, ".")
        raise ConfigurationError(
            f"'{target}' names a file. Name its module instead: '{dotted}:{path or 'worker'}'."
        )
    if not all(part.isidentifier() for part in [*module.split("."), *path.split(".")]):
        raise ConfigurationError(
            f"'{target}' must name a module and an object in it, as in 'github:worker'."
        )
    return module, path


def _import(name: str) -> ModuleType:
    # Last, so that a stray file there shadows no library.
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    try:
        return importlib.import_module(name)
    except LTQError:
        raise
    except ModuleNotFoundError as error:
        if not _is_missing(name, error):
            raise _failure(name, error) from error
        raise ConfigurationError(_missing(name, here)) from None
    except (Exception, SystemExit) as error:
        raise _failure(name, error) from error


def _is_missing(name: str, error: ModuleNotFoundError) -> bool:
    """Whether the module *name* itself is missing, and not something that it imports."""
    wanted = f"{name}.".startswith(f"{error.name}.")
    return wanted and _own_frames(error.__traceback__) is None


def _missing(name: str, here: str) -> str:
    package, _, last = name.rpartition(".")
    beside = iter_modules([str(Path(here, *package.split(".")))])
    near = nearest(last, [module.name for module in beside])
    hint = (
        f"Did you mean '{name.removesuffix(last)}{near}'?"
        if near
        else "Change to the folder that it stands in, or install its package."
    )
    return f"There is no module '{name}', neither installed nor in {here}. {hint}"


def _failure(name: str, error: BaseException) -> ConfigurationError:
    """Print where the user's module failed; what is returned says only that it did."""
    frames = _own_frames(error.__traceback__)
    print_traceback(error.with_traceback(frames))
    return ConfigurationError(
        f"Module '{name}' failed while it was imported, as the traceback above shows: "
        f"{describe(error)}"
    )


def _own_frames(trace: TracebackType | None) -> TracebackType | None:
    """*trace* without the import machinery, and this file, at its beginning."""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file not in (__file__, importlib.__file__) and not file.startswith("<frozen "):
            return trace
        trace = trace.tb_next
    return None


def _suggest(module: ModuleType, path: str, kinds: tuple[Kind, ...]) -> str:
    fitting = [name for name, value in vars(module).items() if kind_of(value) in kinds]
    if not fitting:
        return f"It holds no {' and no '.join(kinds)}: name the module that does."
    near = nearest(path, fitting)
    named = " or ".join(f"'{module.__name__}:{name}'" for name in ([near] if near else fitting))
    return f"Did you mean {named}?"


def _either(kinds: tuple[Kind, ...]) -> str:
    words = [with_article(kind) for kind in kinds]
    return " or ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)
