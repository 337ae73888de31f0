"""`Plugin`: one entry point of the group ``ltq``, and what became of it."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from ltq_core.errors import PluginError
from ltq_core.logger import describe, masked
from ltq_core.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rich_click import Command

    from ltq_core.broker import Broker
    from ltq_core.middleware import MiddlewareSpec

State = Literal["ok", "disabled", "broken", "incompatible", "conflict"]
BrokerTarget: TypeAlias = "str | Callable[[str], Broker]"
CommandTarget: TypeAlias = "str | Command"


def canonical(name: str) -> str:
    """*name* as package indexes compare names: lower case, dashes only."""
    return re.sub(r"[-_.]+", "-", name).lower()


@dataclass(slots=True, eq=False)
class Plugin:
    """One entry point of the group ``ltq``, and what became of it.

    Attributes:
        name: The entry point's name.
        value: The entry point's value: ``module`` or ``module:object``.
        distribution: The name of the distribution that installed it.
        version: That distribution's version.
        summary: What that distribution says of itself.
        requires: Its requirements.
        location: Where it is installed.
        state: ``ok``; ``disabled`` by the user; ``broken``; ``incompatible`` with this
            ltq-core; in ``conflict`` with another plugin or the core.
        error: What is wrong and what to do, for every state but ``ok``.
        implementation: The object whose functions are the hooks; None unless it was
            loaded and asked without a failure. A plugin that disputes one name is
            in conflict, and its implementation serves on.
        hooks: The names of the hooks that it implements.
        brokers: What it answered to ``ltq_register_brokers``.
        middleware: What it answered to ``ltq_register_middleware``.
        commands: What it answered to ``ltq_register_commands``.
        load_seconds: How long it took to load.
    """

    name: str
    value: str
    distribution: str
    version: str
    summary: str = ""
    requires: Sequence[str] = ()
    location: str = ""
    state: State = "ok"
    error: str = ""
    implementation: object | None = None
    hooks: tuple[str, ...] = ()
    brokers: Mapping[str, BrokerTarget] = field(default_factory=dict)
    middleware: tuple[MiddlewareSpec, ...] = ()
    commands: Mapping[str, CommandTarget] = field(default_factory=dict)
    load_seconds: float = 0.0

    def __str__(self) -> str:
        return f"'{self.name}' from {self.distribution} {self.version}"

    def names(self) -> set[str]:
        """The names by which a user may mean it: its own and its distribution's."""
        return {canonical(self.name), canonical(self.distribution)}

    def take_out(self, state: State, error: str) -> None:
        """Let it offer nothing; *error* says why."""
        self.state, self.error, self.implementation = state, error, None
        self.brokers, self.middleware, self.commands = {}, (), {}

    def dispute(self, sentence: str) -> None:
        """Note what it cannot have because another one claims it; the rest serves on."""
        self.state = "conflict"
        self.error = f"{self.error} {sentence}".strip()

    def failure(
        self,
        error: BaseException | str,
        part: str = "",
        url: str = "",
        what: str = "could not be loaded",
    ) -> str:
        """The sentence that *error* befell the plugin, or this *part* of it.

        No password is shown, such as that of *url*, which a broker was called with.
        """
        subject = f"{part} of plugin" if part else "Plugin"
        # A missing import is an incomplete installation; anything else is a bug of
        # the plugin's, which only another version of it can mend.
        remedy = "Reinstall" if isinstance(error, ImportError) else "Update"
        return (
            f"{subject} {self} {what}: {reason(error, url)}. "
            f"{remedy} it, or set LTQ_DISABLE_PLUGINS={self.name}."
        )

    def interrupted(self) -> str:
        """The sentences for a Ctrl-C that came, or seemed to come, while it was loaded."""
        return (
            f"Plugin {self} was being loaded. If nobody pressed Ctrl-C, "
            f"set LTQ_DISABLE_PLUGINS={self.name}."
        )


def hint(name: str, plugins: Iterable[Plugin]) -> str:
    """What to do about *name*, which none of *plugins* has."""
    return did_you_mean(name, {plugin.name for plugin in plugins}, "See: ltq plugins list.")


def reason(error: BaseException | str, url: str = "") -> str:
    """What *error* says, without its full stop and without passwords, such as *url*'s."""
    telling = isinstance(error, ImportError | PluginError | str) and str(error)
    if telling or not isinstance(error, BaseException):
        return masked(str(error), url).rstrip(".")
    # Cut once: a URL that is cut before its '@' would keep its password.
    return masked(describe(error, limit=sys.maxsize), url).rstrip(".")
