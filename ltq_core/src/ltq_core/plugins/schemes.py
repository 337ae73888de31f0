"""From a broker URL to its broker, or to the one sentence that says what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ltq_core.errors import ConfigurationError, LTQError, PluginError, UnknownSchemeError
from ltq_core.logger import harmless, masked, printable, redact, typed
from ltq_core.nearest import nearest
from ltq_core.plugins.imports import import_part
from ltq_core.plugins.plugin import canonical, reason
from ltq_core.plugins.registry import current

if TYPE_CHECKING:
    from collections.abc import Callable

    from ltq_core.broker import Broker
    from ltq_core.plugins.plugin import Plugin
    from ltq_core.plugins.registry import Found

REDIS_SCHEMES = (
    "redis", "rediss", "unix", "valkey", "valkeys",
    "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster",
)  # fmt: skip
PACKAGES = {"memory": "ltq-memory"} | dict.fromkeys(REDIS_SCHEMES, "ltq-redis")
"""The package to install for a scheme that is ours but absent."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


_CORRECT = (
    "Correct the URL; in a password, write '/', '?', '#' and '@' as %2F, %3F, %23 and %40."
)


def broker_from_url(url: str) -> Broker:
    """The broker that *url* names; see `Broker.from_url`."""
    scheme = scheme_of(url)
    plugin, factory = _resolve(scheme)
    try:
        broker = factory(url)
    except LTQError as error:
        if harmless(error, url) is not None:
            raise
        raise _rewritten(error, url) from None
    except ValueError as error:  # a port that is no number, and the like: the URL's fault
        text = f"'{redact(url)}' is no URL for {plugin}: {reason(error, url)}. {_CORRECT}"
        raise ConfigurationError(text) from harmless(error, url)
    except (Exception, SystemExit) as error:
        raise PluginError(plugin.failure(error, _part(scheme), url)) from harmless(error, url)
    if not callable(getattr(broker, "consume_many", None)):
        text = f"it made {typed(broker)}, not a Broker"
        raise PluginError(plugin.failure(text, _part(scheme)))
    return broker


def _rewritten(error: LTQError, url: str) -> LTQError:
    """*error* without the password of *url*, as the nearest of LTQ's own classes."""
    own = (cls for cls in type(error).__mro__ if cls.__module__ == LTQError.__module__)
    return next(own)(masked(str(error), url))  # type: ignore[no-any-return]


def broker_class(scheme: str) -> Callable[[str], Broker]:
    """What makes the brokers of *scheme*: a `Broker` class, or another callable.

    Raises:
        UnknownSchemeError: No usable plugin offers it; says what would.
        PluginError: It cannot be imported, or two plugins claim it.
    """
    return _resolve(scheme)[1]


def scheme_of(url: str) -> str:
    """The scheme of *url*, in lower case.

    Raises:
        UnknownSchemeError: It has none.
    """
    found = _SCHEME.match(url)
    if found is None:
        # No scheme, so nothing tells where a password stands: all before the host may
        # be one.
        userinfo, at, rest = url.rpartition("@")
        shown = printable(f"***{at}{rest}" if userinfo else rest) or "localhost:6379"
        raise UnknownSchemeError(
            f"A broker URL starts with a scheme, as in 'redis://{shown}'; "
            f"{'this one has none' if url else 'this one is empty'}."
        )
    return found[1].lower()


def schemes_with(ability: type) -> list[str]:
    """The installed schemes whose broker offers *ability*; imports every broker.

    For the error that says which broker would do.
    """
    brokers = current().found.brokers
    return [scheme for scheme in brokers if _offers(scheme, ability)]


def _offers(scheme: str, ability: type) -> bool:
    try:
        made_by = broker_class(scheme)
    except LTQError:  # a broker that cannot be used offers nothing
        return False
    return isinstance(made_by, type) and issubclass(made_by, ability)


def _resolve(scheme: str) -> tuple[Plugin, Callable[[str], Broker]]:
    found = current().found
    if scheme not in found.brokers:
        raise _unknown(scheme, found)
    plugin = found.brokers.owner(scheme)
    factory = import_part(plugin, _part(scheme), found.brokers[scheme])
    if not callable(factory):
        raise PluginError(plugin.failure("it is neither class nor function", _part(scheme)))
    return plugin, factory


def _part(scheme: str) -> str:
    return f"Broker '{scheme}://'"


def _unknown(scheme: str, found: Found) -> LTQError:
    package = PACKAGES.get(scheme, f"ltq-{scheme.partition('+')[0]}")
    if absent := _absent(scheme, package, found):
        if absent.state == "disabled":
            return UnknownSchemeError(f"No broker for '{scheme}://': {absent.error}")
        return PluginError(absent.error)
    return UnknownSchemeError(
        f"No broker is installed for '{scheme}://' ({_inventory(found)}). "
        f"{_advice(scheme, package, found)}"
    )


def _inventory(found: Found) -> str:
    installed = f"installed: {', '.join(found.brokers) or 'none'}"
    unusable = ", ".join(plugin.name for plugin in _unusable(found))
    return f"{installed}; plugins not in use: {unusable}" if unusable else installed


def _unusable(found: Found) -> list[Plugin]:
    """Plugins that were never asked what they offer."""
    return [plugin for plugin in found.plugins if plugin.implementation is None]


def _absent(scheme: str, package: str, found: Found) -> Plugin | None:
    """The plugin that, to judge by its name, offers *scheme*, and is not in use."""
    wanted = {package, canonical(scheme)}
    return next((plugin for plugin in _unusable(found) if plugin.names() & wanted), None)


def _advice(scheme: str, package: str, found: Found) -> str:
    if scheme in PACKAGES:
        return f"Run: pip install {package}."
    if near := nearest(scheme, [*found.brokers, *PACKAGES], cutoff=0.75):
        install = "" if near in found.brokers else f" Run: pip install {PACKAGES[near]}."
        return f"Did you mean '{near}://'?{install}"
    if not found.brokers:
        return f"Look for a package named like {package}, or run: pip install ltq-redis."
    return f"Look for a package named like {package}."
