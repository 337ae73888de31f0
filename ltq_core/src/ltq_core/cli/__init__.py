"""The command line: ``ltq``, one file per command.

Importing this package, and ``ltq --version``, cost nothing: everything else is
imported where it is used.
"""

from __future__ import annotations


def main() -> int:
    """Run ``ltq`` with the arguments of this process, and return its exit code.

    0: done. 1: failed. 2: a mistake in usage, configuration or the user's own module.
    3: the broker cannot be reached. 130 and 143: ended by a second signal.
    """
    import sys

    try:
        if sys.argv[1:] == ["--version"]:
            return _print_version()
        from ltq_core.cli.root import run_root

        return run_root(sys.argv[1:])
    except BrokenPipeError:
        return 1
    finally:
        flush_output()


def _print_version() -> int:
    from ltq_core import __version__

    print(f"ltq {__version__}")
    return 0


def flush_output() -> None:
    """Flush stdout and stderr; that a reader has gone, as in ``… | head``, is no failure."""
    import os
    import sys

    for stream in filter(None, (sys.stdout, sys.stderr)):  # None where it is closed
        try:
            stream.flush()
        except BrokenPipeError:
            # Python flushes once more at its exit, and would complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
