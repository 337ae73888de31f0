"""`Worker`: a named set of tasks; `current_message` for the task that runs."""

from ltq_core.worker import CurrentMessage, LastError, Worker, current_message

__all__ = ["CurrentMessage", "LastError", "Worker", "current_message"]
