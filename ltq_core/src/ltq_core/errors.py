"""Every exception that LTQ raises.

Below `LTQError` the classes say whose move it is: configuration (the user's),
plugin (its author's), message and broker (the world's). `RetryError`,
`DeferError` and `RejectError` are signals from a run to its worker, and no
errors of LTQ's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ltq_core.values import seconds

if TYPE_CHECKING:
    from datetime import timedelta


class LTQError(Exception):
    """The root of every error of LTQ's own."""


class ConfigurationError(LTQError):
    """Something that the user declared cannot work as declared."""


class UnknownSchemeError(ConfigurationError, ValueError):
    """No usable broker stands behind a URL's scheme."""


class UnknownOptionError(ConfigurationError, ValueError):
    """A task or a URL has an option that nothing knows."""


class OptionValueError(ConfigurationError, ValueError):
    """An option is known, but its value makes no sense."""


class DuplicateWorkerError(ConfigurationError, RuntimeError):
    """Two workers of one app, or two tasks of one worker, share a name."""


class PluginError(LTQError):
    """A plugin is broken, incompatible, or claims what another one claims."""


class EncodeError(LTQError, TypeError):
    """An argument cannot be stored, or would not come back equal."""


class DecodeError(LTQError, ValueError):
    """Stored bytes are no message, or its arguments are not what the task takes."""


class BrokerError(LTQError):
    """The broker could not do what it was asked."""


class BrokerUnavailableError(BrokerError, ConnectionError):
    """The store did not answer, or not in time; trying again may help."""


class LeaseLostError(BrokerError):
    """The lease on a message ended earlier: nothing was changed."""


class DuplicateMessageError(LTQError):
    """A unique key is held by another message.

    Attributes:
        existing_id: The id of the message that holds the key.
    """

    def __init__(self, key: str, existing_id: str) -> None:
        super().__init__(f"The unique key {key!r} is held by message {existing_id}.")
        self.key = key
        self.existing_id = existing_id


class _LaterError(Exception):
    # On the class too, for a subclass whose __init__ does not call this one.
    delay: float = 0

    def __init__(self, delay: float | timedelta = 0, reason: str = "") -> None:
        super().__init__(reason)
        self.delay = seconds(delay)

    def __repr__(self) -> str:
        reason = f", {self.args[0]!r}" if self.args and self.args[0] else ""
        return f"{type(self).__name__}({self.delay!r}{reason})"


class RetryError(_LaterError):
    """Run this message again after *delay* seconds (at once without one); counts as a try."""


class DeferError(_LaterError):
    """Run this message again after *delay* seconds; this run was no try."""


class RejectError(Exception):
    """Give this message up for good; *reason* is kept with its dead letter.

    *kind* is what `ltq_core.dead_letter.DeadLetter.reason` will say.
    """

    # On the class too, for a subclass whose __init__ does not call this one.
    reason: str = ""
    kind: Literal["rejected", "tries_exhausted", "expired"] = "rejected"

    def __init__(
        self,
        reason: str = "",
        *,
        kind: Literal["rejected", "tries_exhausted", "expired"] = "rejected",
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.kind = kind
