"""`Task`: a function whose runs can be requested by messages."""

from ltq_core.task import Task

__all__ = ["Task"]
