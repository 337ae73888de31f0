"""Facts about processes that compete, are killed and frozen, for brokers that they share."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from contextlib import AbstractContextManager, ExitStack
from functools import partial

import pytest

from ltq_core.abilities import DeadLetters
from ltq_core.testing.cancelling import cut
from ltq_core.testing.lab import QUEUE, Lab, label, message
from ltq_core.testing.programs import Program, program
from ltq_core.testing.step_process import COMPETING
from ltq_core.testing.suite import Conformance, fact
from ltq_core.testing.waiting import wait_until
from ltq_core.testing.watching import off_loop

CROWD = 4
"""How many processes compete: more than the processors of a small machine."""

VICTIMS = 6
"""How many processes are killed within calls of one kind, each at another moment."""

SPREAD = 0.12
"""Seconds after which the last of them is killed: some steps even of a slow disk."""

ANCHOR = "anchor"
NAMES = [f"{number:02}" for number in range(30)]
"""What a queue holds in which a process is killed; it holds the anchor from its start."""

ALLOWED = {"+": {1}, "-": {0}, "?": {0, 1}}
"""How often a message may be there that is known to be there, to be gone, or neither."""


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
    async def test_competing_processes_lose_and_double_nothing(self, lab: Lab) -> None:
        """Of processes that publish and consume at once, one gets each message, once."""
        lines: list[str] = []
        with ExitStack() as stack:
            crowd = [
                stack.enter_context(self._step(lab, QUEUE, "compete", f"{number}-"))
                for number in range(CROWD)
            ]
            await _begin(crowd)
            for each in crowd:
                lab.start(off_loop(partial(each.hear_into, lines)))
            await _until_settled(lab, lines, CROWD * COMPETING)
            for each in crowd:
                each.tell("stop")
                await each.ended()

        names = [f"{each}-{number:03}" for each in range(CROWD) for number in range(COMPETING)]
        assert sorted(_gone(lines) + await lab.rest()) == names

    @fact
    async def test_durable_message_outlives_who_sent_it(self, lab: Lab) -> None:
        """What waits when the last connection is closed is there for the next process."""
        if not type(lab.broker).durable:
            pytest.skip("the broker does not say that it is durable")
        await lab.publish("a")
        await lab.broker.close()
        with self._worker(lab) as worker:
            await worker.hear("held a")

    @fact
    async def test_publish_of_a_killed_process_is_whole(self, lab: Lab) -> None:
        """What it published is there; what it was publishing is there once, or not at all."""
        await self._killed_within(lab, "publish")

    @fact
    async def test_ack_of_a_killed_process_is_whole(self, lab: Lab) -> None:
        """What it acked is gone; all else is there once."""
        await self._killed_within(lab, "ack")

    @fact
    async def test_nack_of_a_killed_process_is_whole(self, lab: Lab) -> None:
        """What it nacked, held, or was nacking is there once."""
        await self._killed_within(lab, "nack")

    @fact
    async def test_burial_of_a_killed_process_is_whole(self, lab: Lab) -> None:
        """What it buried and requeued is there once: as a message, or as a dead letter."""
        if not isinstance(lab.broker, DeadLetters):
            pytest.skip("the broker keeps no dead letters")
        await self._killed_within(lab, "bury")

    @fact
    async def test_killed_process_loses_nothing(self, lab: Lab) -> None:
        """What a process held that was ended by SIGKILL comes back."""
        await lab.publish("a")
        with self._worker(lab) as worker:
            await worker.hear("held a")
            await worker.killed()
            back = await lab.consume(within=lab.takeover)

        assert back.delivery is not None
        assert (label(back), back.delivery.crashes) == ("a", 1)

    @fact
    async def test_living_process_keeps_its_message(self, lab: Lab) -> None:
        """What another process holds goes to nobody else, for several leases."""
        await lab.publish("a")
        with self._worker(lab) as worker:
            await worker.hear("held a")
            waiting = await lab.still_waits(lab.broker.consume(QUEUE), 2.5 * lab.lease)
            waiting.cancel()
            worker.tell("ack")
            await worker.hear("done")

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
        with self._worker(lab) as worker:
            await worker.hear("held a")
            worker.process.send_signal(signal.SIGSTOP)
            stolen = await lab.consume(within=lab.takeover)
            worker.tell(word)
            worker.process.send_signal(signal.SIGCONT)
            await worker.hear("lost")
        await lab.broker.nack(stolen)

        assert await lab.rest() == ["a"]

    async def _killed_within(self, lab: Lab, step: str) -> None:
        queues = [f"{QUEUE}-{number}" for number in range(VICTIMS)]
        for queue in queues:
            await lab.broker.publish_many([message(name, queue) for name in (ANCHOR, *NAMES)])
        with ExitStack() as stack:
            victims = [stack.enter_context(self._step(lab, each, step)) for each in queues]
            for victim in victims:
                await victim.hear("ready")
            lines = [
                await _killed_at(victim, SPREAD * number / VICTIMS)
                for number, victim in enumerate(victims, start=1)
            ]

        for queue, known in zip(queues, lines, strict=True):
            states = dict.fromkeys((ANCHOR, *NAMES), "+") | {
                each[1:]: each[0] for each in known
            }
            assert _surprises(states, await _found(lab, queue, states)) == {}

    def _worker(self, lab: Lab) -> AbstractContextManager[Program]:
        return program(lab, "worker_process", self._url, QUEUE)

    def _step(
        self, lab: Lab, queue: str, step: str, name: str = "new"
    ) -> AbstractContextManager[Program]:
        return program(lab, "step_process", self._url, queue, step, name)


async def _begin(crowd: list[Program]) -> None:
    for each in crowd:
        await each.hear("ready")
    for each in crowd:
        each.tell("go")


async def _killed_at(victim: Program, seconds: float) -> list[str]:
    # One after another: most of several would be killed while they wait for each other.
    victim.tell("go")
    await asyncio.sleep(seconds)
    return await victim.killed()


async def _until_settled(lab: Lab, lines: list[str], count: int) -> None:
    while (before := len(_gone(lines))) < count:
        more = partial(lambda before: len(_gone(lines)) > before, before)
        await wait_until(more, lab.patience, f"more than {before} of {count} are settled")


def _gone(lines: list[str]) -> list[str]:
    return [line[1:] for line in lines if line.startswith("-")]


async def _found(lab: Lab, queue: str, states: dict[str, str]) -> Counter[str]:
    """How often each message of a killed process is there, taken or dead."""
    labels: list[str] = []
    while ANCHOR not in labels:  # then its lease has ended, and all is there that will be
        labels += await lab.take(1, queue=queue, within=lab.takeover)
    labels += await lab.rest(queue)
    if isinstance(lab.broker, DeadLetters):
        letters = await lab.broker.dead_letters(queue)
        labels += [label(each.message) for each in letters if each.message]
    # All but what it leased anew, if a busy machine had let its first lease end.
    while {name for name in states if states[name] == "+"} - {*labels}:
        if (late := await _late(lab, queue)) is None:
            break
        labels.append(late)
    return Counter(labels)


async def _late(lab: Lab, queue: str) -> str | None:
    """The label of a message that comes before a lease has ended, or None."""
    waiting = lab.start(lab.broker.consume(queue))
    await asyncio.wait([waiting], timeout=lab.takeover)
    received = await cut(waiting)
    return None if received is None else label(received)


def _surprises(states: dict[str, str], found: Counter[str]) -> dict[str, int]:
    """Each message that is there more or less often than it must be, by what is known."""
    return {name: found[name] for name in states if found[name] not in ALLOWED[states[name]]}
