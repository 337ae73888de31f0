"""Every exception that LTQ raises."""

from ltq_core.errors import (
    BrokerError,
    BrokerUnavailableError,
    ConfigurationError,
    DecodeError,
    DeferError,
    DuplicateMessageError,
    DuplicateWorkerError,
    EncodeError,
    LeaseLostError,
    LTQError,
    OptionValueError,
    PluginError,
    RejectError,
    RetryError,
    UnknownOptionError,
    UnknownSchemeError,
)

__all__ = [
    "BrokerError",
    "BrokerUnavailableError",
    "ConfigurationError",
    "DecodeError",
    "DeferError",
    "DuplicateMessageError",
    "DuplicateWorkerError",
    "EncodeError",
    "LTQError",
    "LeaseLostError",
    "OptionValueError",
    "PluginError",
    "RejectError",
    "RetryError",
    "UnknownOptionError",
    "UnknownSchemeError",
]
