"""The tasks of every peer that runs plain functions, in threads or one by one."""

import time
from collections.abc import Callable

from peers.meter import began, ran, started
from peers.settings import TASKS


def noop() -> None:
    began()
    ran()


def nap() -> None:
    began()
    time.sleep(0.01)
    ran()


def stamp(sent_at: float) -> None:
    started(sent_at)


def pair(to: str, subject: str) -> None:
    began()
    ran()


def _spare(number: int) -> Callable[[], None]:
    def spare() -> None:
        began()
        ran()

    spare.__name__ = spare.__qualname__ = f"spare_{number}"
    return spare


_WORK: tuple[Callable[..., None], ...] = (noop, nap, stamp, pair)
ALL = (*_WORK, *(_spare(number) for number in range(len(_WORK), TASKS)))[:TASKS]
