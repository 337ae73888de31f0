"""`Message`: one request to run a task."""

from ltq_core.message import Message

__all__ = ["Message"]
