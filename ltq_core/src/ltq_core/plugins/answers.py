"""Check what a plugin's hooks answered, so that a mistake is its own and named as such."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ltq_core.errors import PluginError
from ltq_core.logger import printable, typed
from ltq_core.middleware import PHASES, MiddlewareSpec

if TYPE_CHECKING:
    from ltq_core.plugins.plugin import BrokerTarget, CommandTarget

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")
_IMPORT_STRING = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def broker_targets(answers: list[Any]) -> dict[str, BrokerTarget]:
    """The schemes that one plugin's ``ltq_register_brokers`` answered.

    Raises:
        PluginError: The answer is no mapping of schemes to import strings or callables.
    """
    return _targets(answers, _SCHEME, "lower-case URL scheme")


def command_targets(answers: list[Any]) -> dict[str, CommandTarget]:
    """The commands that one plugin's ``ltq_register_commands`` answered.

    Raises:
        PluginError: The answer is no mapping of names to import strings or commands.
    """
    return _targets(answers, _NAME, "command name")


def middleware_specs(answers: list[Any]) -> tuple[MiddlewareSpec, ...]:
    """The specs that one plugin's ``ltq_register_middleware`` answered.

    Raises:
        PluginError: The answer is no sequence of specs, or one of them makes no sense.
    """
    specs: list[MiddlewareSpec] = []
    for answer in answers:
        if not isinstance(answer, Sequence):
            raise _wrong(f"{typed(answer)}, not a list of MiddlewareSpec")
        specs.extend(answer)
    for spec in specs:
        _check_spec(spec)
    _check_unique("middleware", [spec.name for spec in specs])
    _check_unique("option", [option for spec in specs for option in spec.options])
    return tuple(specs)


def _targets(answers: list[Any], names: re.Pattern[str], kind: str) -> dict[str, Any]:
    targets: dict[str, Any] = {}
    for answer in answers:
        if not isinstance(answer, Mapping):
            raise _wrong(f"{typed(answer)}, not a mapping of names")
        targets.update(answer)
    for name, target in targets.items():
        if not _matches(names, name):
            raise _wrong(f"{_shown(name)}, which is no {kind}")
        _check_target(f"'{name}'", target)
    return targets


def _check_spec(spec: object) -> None:
    if not isinstance(spec, MiddlewareSpec):
        raise _wrong(f"{typed(spec)}, not a MiddlewareSpec")
    if not _matches(_NAME, spec.name):
        raise _wrong(f"a middleware named {_shown(spec.name)}")
    what = f"middleware '{spec.name}'"
    _check_target(what, spec.target)
    if spec.phase not in PHASES:
        known = ", ".join(PHASES)
        raise _wrong(f"phase {_shown(spec.phase)} for {what}: it must be one of {known}")
    if not (isinstance(spec.default, bool) or callable(spec.default)):
        raise _wrong(
            f"default {_shown(spec.default)} for {what}: it must be a bool or callable"
        )
    if not (_is_names(spec.options)):
        raise _wrong(
            f"options {_shown(spec.options)} for {what}: they must be a tuple of names"
        )


def _check_target(what: str, target: object) -> None:
    good = _matches(_IMPORT_STRING, target) if isinstance(target, str) else callable(target)
    if not good:
        raise _wrong(f"{_shown(target)} for {what}: it must be 'module:name' or a callable")


def _check_unique(kind: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise _wrong(f"the {kind} '{name}' twice")


def _matches(pattern: re.Pattern[str], text: object) -> bool:
    return isinstance(text, str) and pattern.fullmatch(text) is not None


def _is_names(options: object) -> bool:
    return isinstance(options, tuple | list) and all(
        isinstance(name, str) and name.isidentifier() for name in options
    )


def _shown(value: object) -> str:
    return printable(ascii(value), limit=80)


def _wrong(answered: str) -> PluginError:
    return PluginError(f"answered {answered}")
