"""LTQ's core: what workers, plugins and the command line are made of.

Everything that a plugin may use is named here, and imported at its first use. People
who write tasks import `ltq`, which offers the names that they need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltq_core.lazy import lazy_names as lazy_names

if TYPE_CHECKING:
    from ltq_core.abilities import DeadLetters as DeadLetters
    from ltq_core.abilities import Inspection as Inspection
    from ltq_core.abilities import LiveWorker as LiveWorker
    from ltq_core.abilities import LiveWorkers as LiveWorkers
    from ltq_core.abilities import Pause as Pause
    from ltq_core.abilities import QueueLimits as QueueLimits
    from ltq_core.abilities import QueueStats as QueueStats
    from ltq_core.abilities import Rate as Rate
    from ltq_core.abilities import SharedLimits as SharedLimits
    from ltq_core.abilities import Ticks as Ticks
    from ltq_core.abilities import UniquePublish as UniquePublish
    from ltq_core.app import App as App
    from ltq_core.broker import Broker as Broker
    from ltq_core.clock import now as now
    from ltq_core.clock import uptime as uptime
    from ltq_core.dead_letter import DeadLetter as DeadLetter
    from ltq_core.dead_letter import revived as revived
    from ltq_core.dead_letter import undecodable as undecodable
    from ltq_core.errors import BrokerError as BrokerError
    from ltq_core.errors import BrokerUnavailableError as BrokerUnavailableError
    from ltq_core.errors import ConfigurationError as ConfigurationError
    from ltq_core.errors import DecodeError as DecodeError
    from ltq_core.errors import DeferError as DeferError
    from ltq_core.errors import DuplicateMessageError as DuplicateMessageError
    from ltq_core.errors import DuplicateWorkerError as DuplicateWorkerError
    from ltq_core.errors import EncodeError as EncodeError
    from ltq_core.errors import LeaseLostError as LeaseLostError
    from ltq_core.errors import LTQError as LTQError
    from ltq_core.errors import OptionValueError as OptionValueError
    from ltq_core.errors import PluginError as PluginError
    from ltq_core.errors import RejectError as RejectError
    from ltq_core.errors import RetryError as RetryError
    from ltq_core.errors import UnknownOptionError as UnknownOptionError
    from ltq_core.errors import UnknownSchemeError as UnknownSchemeError
    from ltq_core.hookspecs import hookimpl as hookimpl
    from ltq_core.lifeline import LeaseKeeper as LeaseKeeper
    from ltq_core.lifeline import PerLoop as PerLoop
    from ltq_core.limits.max_age import MaxAge as MaxAge
    from ltq_core.limits.max_concurrency import MaxConcurrency as MaxConcurrency
    from ltq_core.limits.max_rate import MaxRate as MaxRate
    from ltq_core.limits.max_tries import MaxTries as MaxTries
    from ltq_core.logger import describe as describe
    from ltq_core.logger import get_logger as get_logger
    from ltq_core.logger import printable as printable
    from ltq_core.logger import redact as redact
    from ltq_core.message import Delivery as Delivery
    from ltq_core.message import Message as Message
    from ltq_core.middleware import DeclaresLimits as DeclaresLimits
    from ltq_core.middleware import Middleware as Middleware
    from ltq_core.middleware import MiddlewareSpec as MiddlewareSpec
    from ltq_core.nearest import did_you_mean as did_you_mean
    from ltq_core.plugins import PluginInfo as PluginInfo
    from ltq_core.plugins import installed as installed
    from ltq_core.plugins import load_command as load_command
    from ltq_core.scheduler import Schedule as Schedule
    from ltq_core.scheduler import Scheduler as Scheduler
    from ltq_core.task import Task as Task
    from ltq_core.worker import CurrentMessage as CurrentMessage
    from ltq_core.worker import LastError as LastError
    from ltq_core.worker import Worker as Worker
    from ltq_core.worker import current_message as current_message

# One number for all packages. It stands here as well as in each pyproject.toml because
# reading it from the installed metadata would cost every start 40 ms.
__version__ = "0.1.0"

_NAMES = {
    "abilities": "DeadLetters Inspection LiveWorker LiveWorkers Pause QueueLimits QueueStats"
    " Rate SharedLimits Ticks UniquePublish",
    "app": "App",
    "broker": "Broker",
    "clock": "now uptime",
    "dead_letter": "DeadLetter revived undecodable",
    "errors": "BrokerError BrokerUnavailableError ConfigurationError DecodeError DeferError"
    " DuplicateMessageError DuplicateWorkerError EncodeError LTQError LeaseLostError"
    " OptionValueError PluginError RejectError RetryError UnknownOptionError"
    " UnknownSchemeError",
    "hookspecs": "hookimpl",
    "lazy": "lazy_names",
    "lifeline": "LeaseKeeper PerLoop",
    "limits.max_age": "MaxAge",
    "limits.max_concurrency": "MaxConcurrency",
    "limits.max_rate": "MaxRate",
    "limits.max_tries": "MaxTries",
    "logger": "describe get_logger printable redact",
    "message": "Delivery Message",
    "middleware": "DeclaresLimits Middleware MiddlewareSpec",
    "nearest": "did_you_mean",
    "plugins": "PluginInfo installed load_command",
    "scheduler": "Schedule Scheduler",
    "task": "Task",
    "worker": "CurrentMessage LastError Worker current_message",
}
_HOMES = {name: f"ltq_core.{home}" for home, names in _NAMES.items() for name in names.split()}

__all__ = ["__version__"]
__all__ += list(_HOMES)

if not TYPE_CHECKING:  # a type checker would take any name for granted
    __getattr__, __dir__ = lazy_names(__name__, _HOMES)
