"""LTQ's short import name, for people who write tasks: re-exports only.

Every name is imported at its first use. Plugins import `ltq_core`, which offers more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltq_core import __version__
from ltq_core.lazy import lazy_names

if TYPE_CHECKING:
    from ltq import app as app
    from ltq import broker as broker
    from ltq import errors as errors
    from ltq import logger as logger
    from ltq import message as message
    from ltq import middleware as middleware
    from ltq import scheduler as scheduler
    from ltq import task as task
    from ltq import worker as worker
    from ltq.app import App as App
    from ltq.broker import Broker as Broker
    from ltq.errors import DeferError as DeferError
    from ltq.errors import RejectError as RejectError
    from ltq.errors import RetryError as RetryError
    from ltq.logger import get_logger as get_logger
    from ltq.message import Message as Message
    from ltq.middleware import MaxAge as MaxAge
    from ltq.middleware import MaxRate as MaxRate
    from ltq.middleware import MaxTries as MaxTries
    from ltq.middleware import Middleware as Middleware
    from ltq.scheduler import Scheduler as Scheduler
    from ltq.task import Task as Task
    from ltq.worker import Worker as Worker
    from ltq.worker import current_message as current_message

_NAMES = {
    "App": "app",
    "Broker": "broker",
    "DeferError": "errors",
    "MaxAge": "middleware",
    "MaxRate": "middleware",
    "MaxTries": "middleware",
    "Message": "message",
    "Middleware": "middleware",
    "RejectError": "errors",
    "RetryError": "errors",
    "Scheduler": "scheduler",
    "Task": "task",
    "Worker": "worker",
    "current_message": "worker",
    "get_logger": "logger",
}
_MODULES = sorted(set(_NAMES.values()))

__all__ = ["__version__"]
__all__ += list(_NAMES)

if not TYPE_CHECKING:  # a type checker would take any name for granted
    __getattr__, __dir__ = lazy_names(
        __name__,
        {module: module for module in _MODULES}
        | {name: f"ltq.{module}" for name, module in _NAMES.items()},
    )
