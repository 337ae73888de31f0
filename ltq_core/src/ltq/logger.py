"""`get_logger`: named loggers."""

from ltq_core.logger import get_logger

__all__ = ["get_logger"]
