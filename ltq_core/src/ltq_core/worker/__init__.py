"""The worker: claim, run, settle, drain."""

from ltq_core.worker.current import CurrentMessage, LastError, current_message
from ltq_core.worker.worker import SHUTDOWN_TIMEOUT, Worker

__all__ = ["SHUTDOWN_TIMEOUT", "CurrentMessage", "LastError", "Worker", "current_message"]
