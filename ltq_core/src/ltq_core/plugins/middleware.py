"""The middleware that plugins offer: its order, its loading, the options it parses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ltq_core.errors import LTQError, PluginError
from ltq_core.logger import harmless, typed
from ltq_core.middleware import PHASES, Middleware, MiddlewareSpec
from ltq_core.plugins.blame import import_string_of
from ltq_core.plugins.imports import import_part
from ltq_core.plugins.registry import current

if TYPE_CHECKING:
    from ltq_core.plugins.plugin import Plugin


def middleware_specs() -> list[MiddlewareSpec]:
    """What plugins offer, outermost phase first, then by name; imports none of it."""
    offered = [spec for plugin in current().found.plugins for spec in plugin.middleware]
    return sorted(offered, key=lambda spec: (PHASES.index(spec.phase), spec.name))


def load_middleware(spec: MiddlewareSpec) -> Middleware:
    """A fresh instance of the middleware of *spec*, one of `middleware_specs`.

    Raises:
        PluginError: It cannot be imported or made, is no `Middleware`, has no parser
            for an option of its spec, or another plugin offers one of its name.
        ConfigurationError: Its settings make no sense.
    """
    made_by = _import(spec)
    try:
        made = made_by()
    except LTQError:
        raise
    except (Exception, SystemExit) as error:
        raise _failure(spec, error) from harmless(error)
    if not isinstance(made, Middleware):
        raise _failure(spec, f"it is {typed(made)}, not a Middleware")
    _require_parsers(spec, made)
    return made


def default_middlewares() -> list[Middleware]:
    """The default stack, fresh: all middleware whose spec says so, outermost first.

    Raises:
        PluginError: One of them cannot be loaded.
    """
    return [load_middleware(spec) for spec in middleware_specs() if _is_default(spec)]


def join_late(stack: list[Middleware]) -> None:
    """Add to a default *stack*, in its phase, what says only now that it belongs there.

    A worker is declared when its module is imported; what a callable ``default`` depends
    on, such as an initialized client, may come later. Asked when the worker starts.

    Raises:
        PluginError: It cannot be loaded.
    """
    specs = middleware_specs()
    for place, spec in enumerate(specs):
        if callable(spec.default) and _is_default(spec):
            made_by = _import(spec)
            if isinstance(made_by, type) and any(isinstance(one, made_by) for one in stack):
                continue
            inner = {later.target for later in specs[place + 1 :]}
            known = [import_string_of(type(one)) for one in stack]
            at = next((i for i, it in enumerate(known) if it in inner), len(stack))
            stack.insert(at, load_middleware(spec))


def option_names() -> list[str]:
    """The task options that some middleware understands, sorted; imports none of it."""
    return list(current().found.options)


def find_option(option: str) -> type[Middleware] | Middleware | None:
    """What understands the task option *option*, with its parser in ``options``.

    A class, imported by this call; an instance where the plugin offers a callable;
    None if no plugin's middleware knows the option.

    Raises:
        PluginError: It cannot be imported, has no parser for the option, or several
            plugins claim the option.
    """
    options = current().found.options
    if option not in options:
        return None
    spec = options[option]
    made_by = _import(spec)
    if not (isinstance(made_by, type) and issubclass(made_by, Middleware)):
        return load_middleware(spec)
    # A class is not called: its constructor may do what nobody asked for yet.
    _require_parsers(spec, made_by)
    return made_by


def _is_default(spec: MiddlewareSpec) -> bool:
    if isinstance(spec.default, bool):
        return spec.default
    try:
        return bool(spec.default())
    except (Exception, SystemExit) as error:
        raise _failure(spec, error) from harmless(error)


def _import(spec: MiddlewareSpec) -> Any:
    return import_part(_owner(spec), _part(spec), spec.target)


def _require_parsers(spec: MiddlewareSpec, middleware: Middleware | type[Middleware]) -> None:
    for option in spec.options:
        if not callable(middleware.options.get(option)):
            raise _failure(spec, f"it has no parser for its option '{option}'")


def _failure(spec: MiddlewareSpec, error: BaseException | str) -> PluginError:
    return PluginError(_owner(spec).failure(error, _part(spec)))


def _owner(spec: MiddlewareSpec) -> Plugin:
    return current().found.middleware.owner(spec.name)


def _part(spec: MiddlewareSpec) -> str:
    return f"Middleware '{spec.name}'"
