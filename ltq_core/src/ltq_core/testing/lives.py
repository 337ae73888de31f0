"""A worker's lives, so that a test can end one as ``kill -9`` would."""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING

from ltq_core.lifeline import keepers_of

if TYPE_CHECKING:
    from ltq_core.testing.tap import Tap
    from ltq_core.worker import Worker


class Life:
    """One life of one worker, in the running event loop.

    Attributes:
        dead: Whether it was killed: what it still says to the broker is not heard.
        ending: Whether it is killed, or was told to stop.
        death: Done when it is killed.
    """

    def __init__(self) -> None:
        self.dead = False
        self.ending = False
        self.death: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def kill(self) -> None:
        """End it at once: no word to the broker, and its leases are renewed no more."""
        if self.dead:
            return
        self.dead = self.ending = True
        for keeper in keepers_of(self.death.get_loop()):
            if keeper.context.get(current_life) is self:
                keeper.stop(wait=False)
        self.death.set_result(None)


current_life: contextvars.ContextVar[Life] = contextvars.ContextVar("ltq_testing_life")
"""The life in which the calling code runs: set for all that a worker does."""


class Shift:
    """Runs one worker, again each time it is killed, like a supervisor would.

    Args:
        worker: The worker.
        tap: Its broker.
    """

    def __init__(self, worker: Worker, tap: Tap) -> None:
        self._worker = worker
        self._tap = tap
        self._stopping = False
        self._run: asyncio.Task[None] | None = None

    async def work(self) -> None:
        """Work until `stop`.

        Raises:
            Exception: What ended the worker.
        """
        while not self._stopping and await self._dies():
            pass

    def stop(self) -> None:
        """Let `work` return, after what runs has finished."""
        self._stopping = True
        if self._tap.life is not None:
            self._tap.life.ending = True
        # One that has ended would take it for a word about its next run.
        if self._run is not None and not self._run.done():
            self._worker.stop()

    async def _dies(self) -> bool:
        """Live once; whether that ended by being killed."""
        life = self._tap.begin()
        context = contextvars.copy_context()
        context.run(current_life.set, life)
        run = self._run = asyncio.create_task(self._worker.run(), context=context)
        try:
            await asyncio.wait({run, life.death}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            life.ending = True
            run.cancel()
            await asyncio.wait({run})
        if not run.cancelled() and (error := run.exception()) and not life.dead:
            raise error
        return life.dead
