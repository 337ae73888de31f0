"""Facts about processes that are killed and frozen, for brokers that several can share."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from ltq_core.testing.lab import QUEUE, Lab, label
from ltq_core.testing.suite import Conformance, fact

if TYPE_CHECKING:
    from collections.abc import Iterator


class ProcessConformance(Conformance):
    """What a broker promises whose store several processes share.

    Besides ``make_broker`` a subclass defines the fixture ``broker_url``: the URL by
    which another process finds the same store, with the same lease. The broker's
    plugin must be installed.
    """

    @pytest.fixture(autouse=True)
    def _remember_url(self, broker_url: str) -> None:
        self._url = broker_url

    @fact
    async def test_broker_says_that_it_is_shared(self, lab: Lab) -> None:
        """The class attribute ``shared`` is true."""
        assert type(lab.broker).shared

    @fact
    async def test_killed_process_loses_nothing(self, lab: Lab) -> None:
        """What a process held that was ended by SIGKILL comes back."""
        await lab.publish("a")
        with self._worker() as process:
            await _hear(lab, process, "held a")
            process.kill()
            back = await lab.consume(within=lab.takeover)

        assert back.delivery is not None
        assert (label(back), back.delivery.crashes) == ("a", 1)

    @fact
    async def test_living_process_keeps_its_message(self, lab: Lab) -> None:
        """What another process holds goes to nobody else, for several leases."""
        await lab.publish("a")
        with self._worker() as process:
            await _hear(lab, process, "held a")
            waiting = await lab.still_waits(lab.broker.consume(QUEUE), 2.5 * lab.lease)
            waiting.cancel()
            _tell(process, "ack")
            await _hear(lab, process, "done")

        assert await lab.rest() == []

    @fact
    async def test_frozen_process_acks_nothing(self, lab: Lab) -> None:
        """A process that was stopped past its lease cannot ack what it held."""
        await self._thaw_too_late(lab, "ack")

    @fact
    async def test_frozen_process_nacks_nothing(self, lab: Lab) -> None:
        """A process that was stopped past its lease cannot nack what it held."""
        await self._thaw_too_late(lab, "nack")

    async def _thaw_too_late(self, lab: Lab, word: str) -> None:
        await lab.publish("a")
        with self._worker() as process:
            await _hear(lab, process, "held a")
            process.send_signal(signal.SIGSTOP)
            stolen = await lab.consume(within=lab.takeover)
            _tell(process, word)
            process.send_signal(signal.SIGCONT)
            await _hear(lab, process, "lost")
        await lab.broker.nack(stolen)

        assert await lab.rest() == ["a"]

    @contextmanager
    def _worker(self) -> Iterator[subprocess.Popen[str]]:
        command = [sys.executable, "-m", "ltq_core.testing.worker_process", self._url, QUEUE]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
            try:
                yield process
            finally:
                process.kill()


def _tell(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdin is not None
    print(word, file=process.stdin, flush=True)


async def _hear(lab: Lab, process: subprocess.Popen[str], expected: str) -> None:
    assert process.stdout is not None
    reading = asyncio.to_thread(process.stdout.readline)
    line = await lab.soon(reading, "the other process", 10 + lab.patience)
    assert line.strip() == expected
