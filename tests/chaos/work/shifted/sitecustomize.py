"""Shifts the wall clock of a Python process by ``LTQ_CHAOS_SHIFT`` seconds.

Python imports it at its start wherever this folder is on its path. The monotonic clock,
by which runs are logged, stays as it is.
"""

import datetime as dt
import os
import time

_SHIFT = int(os.environ["LTQ_CHAOS_SHIFT"])
_time, _time_ns, _datetime = time.time, time.time_ns, dt.datetime


class _Shifted(_datetime):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
        return _datetime.now(tz) + dt.timedelta(seconds=_SHIFT)

    @classmethod
    def utcnow(cls) -> dt.datetime:
        return cls.now(dt.UTC).replace(tzinfo=None)


time.time = lambda: _time() + _SHIFT
time.time_ns = lambda: _time_ns() + _SHIFT * 1_000_000_000
dt.datetime = _Shifted  # type: ignore[misc]
