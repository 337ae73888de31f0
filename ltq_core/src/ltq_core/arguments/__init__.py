"""A function's annotations: the values of a call to JSON and back."""

from ltq_core.arguments.arguments import Arguments

__all__ = ["Arguments"]
