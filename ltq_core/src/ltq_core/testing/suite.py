"""What every conformance class shares: its settings, its hooks, and how a fact is run."""

from __future__ import annotations

import asyncio
import functools
import inspect
from typing import TYPE_CHECKING, ClassVar, TypeVar

import pytest

from ltq_core.testing.cancelling import end, in_time
from ltq_core.testing.lab import Lab, MakeBroker
from ltq_core.testing.watching import run_watched

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection
    from types import CodeType, TracebackType

    from ltq_core.broker import Broker
    from ltq_core.testing.peers import Peer

S = TypeVar("S", bound="Conformance")


class Conformance:
    """The base of the classes that prove a broker.

    A subclass defines one pytest fixture, ``make_broker``: an async callable that
    returns a new connection to the same, at first empty, store. It is called in several
    threads and event loops, and the kit closes what it makes::

        class TestNatsBroker(BrokerConformance):
            lease = 3.0

            @pytest.fixture
            def make_broker(self, nats_url):
                async def make():
                    return Broker.from_url(f"{nats_url}?lease=3")

                return make

    Nothing else is needed. The rest are settings and hooks with defaults.
    """

    lease: ClassVar[float | None] = None
    """Seconds of the lease of what ``make_broker`` makes; the shorter, the sooner the
    tests are done. None: the broker's attribute ``lease``, else 30."""

    patience: ClassVar[float] = 10.0
    """Seconds to wait for what must happen, before the test fails."""

    seeds: ClassVar[Collection[int]] = range(1)
    """Seeds of the random walks. With ``range(100)`` they look for longer; with the one that
    a failure names they find it again."""

    async def put_raw(self, broker: Broker, queue: str, data: bytes) -> None:
        """Store *data* in *queue* as it is, as some other program might.

        Define it if anything but the broker can write into the store: the tests of bad
        bytes are skipped without it.
        """
        pytest.skip("bad bytes are not tested: the class defines no put_raw")

    async def leftovers(self) -> Collection[str]:
        """The names of all that the store holds, such as its keys or rows.

        Define it to have tested that a finished queue leaves nothing behind; the test
        is skipped without it.
        """
        pytest.skip("what is left behind is not tested: the class defines no leftovers")

    async def freeze(self, peer: Peer) -> None:
        """Stop a worker so that its leases are no longer renewed, like SIGSTOP.

        The default stops its event loop and the `LeaseKeeper`s that were started in it.
        Override these three if the broker renews its leases in another way.
        """
        await peer.freeze()

    async def thaw(self, peer: Peer) -> None:
        """Let a frozen worker go on, like SIGCONT."""
        peer.thaw()

    async def crash(self, peer: Peer) -> None:
        """End a worker without letting it close anything, like SIGKILL."""
        await peer.crash()


def fact(test: Callable[[S, Lab], Awaitable[None]]) -> Callable[[S, MakeBroker], None]:
    """Make a test of a coroutine function: a plain function that runs its own event loop."""

    @functools.wraps(test)
    def run(self: S, make_broker: MakeBroker) -> None:
        __tracebackhide__ = True
        try:
            run_watched(_run(self, test, make_broker))
        except BaseException as error:
            error.with_traceback(_since(test.__code__, error.__traceback__))
            raise

    run.__signature__ = inspect.signature(_shape)  # type: ignore[attr-defined]
    return run


def _shape(self: Conformance, make_broker: MakeBroker) -> None:
    """What pytest takes a fact for: a method with one fixture."""


async def _run(
    suite: S, test: Callable[[S, Lab], Awaitable[None]], make_broker: MakeBroker
) -> None:
    try:
        await _in_lab(suite, test, make_broker)
    finally:
        # asyncio.run would wait without end for a task that ignores its cancellation.
        await end(asyncio.all_tasks() - {asyncio.current_task()})


async def _in_lab(
    suite: S, test: Callable[[S, Lab], Awaitable[None]], make_broker: MakeBroker
) -> None:
    async with Lab(suite, make_broker) as lab:
        # Every single wait has a limit of its own; this one is for what nobody foresaw.
        limit = 20 * lab.lease + 6 * lab.patience
        await in_time(asyncio.ensure_future(test(suite, lab)), limit, "the test")


def _since(code: CodeType, traceback: TracebackType | None) -> TracebackType | None:
    # A failure shows the fact, not the event loop that it ran in.
    at = traceback
    while at is not None and at.tb_frame.f_code is not code:
        at = at.tb_next
    return at or traceback
