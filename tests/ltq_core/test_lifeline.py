"""The lease thread, and one client a loop."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from ltq_core.lifeline import LeaseKeeper, PerLoop, keepers_of
from ltq_core.testing import VirtualClock, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

INTERVAL = 0.01


class Beats:
    """Beats that can be counted, and waited for in a loop that is blocked meanwhile."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.lost: list[list[Hashable]] = []
        self.losing: list[Hashable] = []
        self.failures = 0
        self.finished_after: int | None = None
        self._more = threading.Condition()

    def __len__(self) -> int:
        return len(self.threads)

    def beat(self) -> list[Hashable]:
        with self._more:
            self.threads.append(threading.get_ident())
            self._more.notify_all()
        if self.failures:
            self.failures -= 1
            raise OSError("no answer")
        lost, self.losing = self.losing, []
        return lost

    def finish(self) -> None:
        self.finished_after = len(self)

    def block_until(self, number: int) -> None:
        """Block this thread until there were *number* more beats."""
        goal = len(self) + number
        with self._more:
            assert self._more.wait_for(lambda: len(self) >= goal, 10)

    def keeper(self, **settings: Any) -> LeaseKeeper:
        return LeaseKeeper(INTERVAL, self.beat, self.lost.append, **settings)


@contextmanager
def kept(beats: Beats, **settings: Any) -> Iterator[LeaseKeeper]:
    """A keeper that watches the running loop."""
    keeper = beats.keeper(**settings)
    keeper.start()
    try:
        yield keeper
    finally:
        keeper.stop()


class Told(logging.Handler):
    """Notes how many beats there were at each log line that holds *text*."""

    def __init__(self, beats: Beats, text: str) -> None:
        super().__init__()
        self.counts: list[int] = []
        self.lines: list[str] = []
        self._beats = beats
        self._text = text
        self._more = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        if self._text in record.getMessage():
            with self._more:
                self.lines.append(record.getMessage())
                self.counts.append(len(self._beats))
                self._more.notify_all()

    def block_until(self, number: int) -> None:
        """Block this thread until there were *number* lines."""
        with self._more:
            assert self._more.wait_for(lambda: len(self.counts) >= number, 10)


@pytest.fixture
def telling():
    """Make a `Told` that listens until the test ends."""
    handlers: list[Told] = []
    logger = logging.getLogger("ltq.lifeline")

    def tell(beats: Beats, text: str) -> Told:
        handlers.append(Told(beats, text))
        logger.addHandler(handlers[-1])
        return handlers[-1]

    yield tell
    for handler in handlers:
        logger.removeHandler(handler)


Telling: TypeAlias = "Callable[[Beats, str], Told]"


def test_leases_are_renewed_while_the_loop_is_blocked():
    beats = Beats()

    async def main() -> None:
        with kept(beats):
            beats.block_until(5)

    asyncio.run(main())

    assert threading.get_ident() not in beats.threads
    assert len(set(beats.threads)) == 1


def test_second_start_does_nothing():
    beats = Beats()

    async def main() -> None:
        with kept(beats) as keeper:
            keeper.start()
            beats.block_until(5)

    asyncio.run(main())

    assert len(set(beats.threads)) == 1


def test_lost_leases_are_told():
    beats = Beats()
    beats.losing = ["a", "b"]

    async def main() -> None:
        with kept(beats):
            beats.block_until(3)

    asyncio.run(main())

    assert beats.lost == [["a", "b"]]


def test_beat_that_raises_is_logged_and_tried_again(telling: Telling):
    beats = Beats()
    beats.failures = 2
    told = telling(beats, "could not be renewed")

    async def main() -> None:
        with kept(beats):
            beats.block_until(4)

    asyncio.run(main())

    assert len(told.lines) == 2
    assert "OSError: no answer" in told.lines[0]


def test_failing_listener_does_not_end_the_beats():
    beats = Beats()
    beats.losing = ["a"]

    def fails(lost: list[Hashable]) -> None:
        raise RuntimeError("deaf")

    async def main() -> None:
        keeper = LeaseKeeper(INTERVAL, beats.beat, fails)
        keeper.start()
        beats.block_until(3)
        keeper.stop()

    asyncio.run(main())


def test_listener_may_stop_the_beats():
    beats = Beats()
    beats.losing = ["a"]
    stopped = threading.Event()

    async def main() -> None:
        def stop(lost: list[Hashable]) -> None:
            keeper.stop()
            stopped.set()

        keeper = LeaseKeeper(INTERVAL, beats.beat, stop)
        keeper.start()
        assert stopped.wait(10)

    asyncio.run(main())


def test_place_where_the_loop_is_blocked_is_logged(telling: Telling):
    beats = Beats()
    told = telling(beats, "its leases are kept")

    def blocks() -> None:
        told.block_until(1)

    async def main() -> None:
        with kept(beats):
            blocks()

    asyncio.run(main())

    assert re.search(r"has been blocked for \d+ s at .*threading\.py:\d+ in ", told.lines[0])


def test_nothing_is_renewed_while_the_loop_is_stuck(telling: Telling):
    beats = Beats()
    told = telling(beats, "no longer renewed")

    async def main() -> None:
        with kept(beats, stuck=5 * INTERVAL):
            told.block_until(3)

    asyncio.run(main())

    assert told.counts[0] == told.counts[1] == told.counts[2]


def test_leases_are_renewed_again_once_a_stuck_loop_answers(telling: Telling):
    beats = Beats()
    told = telling(beats, "no longer renewed")

    async def main() -> None:
        with kept(beats, stuck=5 * INTERVAL):
            told.block_until(1)
            before = len(beats)
            await wait_until(lambda: len(beats) > before, 10, "another beat")

    asyncio.run(main())


def test_beats_end_by_themselves_when_a_closed_loop_counts_as_stuck(
    caplog: pytest.LogCaptureFixture,
):
    beats = Beats()
    finished = threading.Event()

    async def main() -> None:
        beats.keeper(stuck=5 * INTERVAL, finish=finished.set).start()

    asyncio.run(main())

    assert finished.wait(10)
    assert len(beats) > 1
    assert caplog.text == ""


def test_last_beat_is_before_stop_returns_and_finish_after_it():
    beats = Beats()

    async def main() -> int:
        with kept(beats, finish=beats.finish):
            beats.block_until(2)
        return len(beats)

    assert asyncio.run(main()) == beats.finished_after == len(beats)


def test_beats_can_be_ended_in_a_loop_whose_executor_has_shut_down():
    beats = Beats()

    async def main() -> None:
        keeper = beats.keeper(finish=beats.finish)
        keeper.start()
        await asyncio.get_running_loop().shutdown_default_executor()
        await keeper.stopped()

    asyncio.run(main())

    assert beats.finished_after == len(beats)


def test_keepers_of_a_loop_are_those_that_were_started_in_it():
    async def main() -> tuple[list[LeaseKeeper], LeaseKeeper]:
        with kept(Beats()) as keeper:
            return keepers_of(asyncio.get_running_loop()), keeper

    first, second = asyncio.run(main()), asyncio.run(main())

    assert first[0] == [first[1]]
    assert second[0] == [second[1]]


class VirtualBeats:
    """The times at which a keeper beats that a virtual clock drives, each 10 s."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.threads: set[int] = set()
        self.keeper = LeaseKeeper(10, self.beat, lambda lost: None)

    def beat(self) -> list[Hashable]:
        self.times.append(asyncio.get_running_loop().time())
        self.threads.add(threading.get_ident())
        return []


def test_virtual_clock_drives_the_beats_without_a_thread():
    beats = VirtualBeats()

    async def main() -> None:
        beats.keeper.start()
        await asyncio.sleep(35)
        beats.keeper.stop()
        await asyncio.sleep(35)

    with VirtualClock() as clock:
        clock.run(main())

    assert beats.times == [10, 20, 30]
    assert beats.threads == {threading.get_ident()}


def test_suspended_keeper_does_not_beat_until_it_is_resumed():
    beats = VirtualBeats()

    async def main() -> None:
        beats.keeper.start()
        await asyncio.sleep(15)
        beats.keeper.suspend()
        await asyncio.sleep(20)
        beats.keeper.resume()
        await asyncio.sleep(20)
        beats.keeper.stop()

    with VirtualClock() as clock:
        clock.run(main())

    assert beats.times == [10, 40, 50]


class Client:
    """Something that belongs to one loop."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.closed_in: asyncio.AbstractEventLoop | None = None
        self.discarded = False

    def discard(self) -> None:
        self.discarded = True

    async def close(self) -> None:
        self.closed_in = asyncio.get_running_loop()


@pytest.fixture
def clients() -> PerLoop[Client]:
    return PerLoop(Client, Client.discard)


async def get(clients: PerLoop[Client]) -> Client:
    return clients.get()


@contextmanager
def loop_in_thread() -> Iterator[Callable[[Any], Any]]:
    """A loop that runs in a thread: call what it yields to run a coroutine there."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield lambda call: asyncio.run_coroutine_threadsafe(call, loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_loop_has_one_client(clients: PerLoop[Client]):
    async def main() -> bool:
        return clients.get() is clients.get() is clients.peek()

    assert asyncio.run(main())


def test_each_loop_has_a_client_of_its_own(clients: PerLoop[Client]):
    with loop_in_thread() as here, loop_in_thread() as there:
        one, two = here(get(clients)), there(get(clients))

        assert one is not two
        assert one is here(get(clients))


def test_client_is_made_only_when_it_is_wanted(clients: PerLoop[Client]):
    async def main() -> Client | None:
        return clients.peek()

    assert asyncio.run(main()) is None


def test_client_outside_of_a_loop_is_an_error(clients: PerLoop[Client]):
    with pytest.raises(RuntimeError):
        clients.get()


def test_client_of_a_closed_loop_is_discarded(clients: PerLoop[Client]):
    first = asyncio.run(get(clients))
    second = asyncio.run(get(clients))

    assert (first.discarded, second.discarded) == (True, False)


def test_each_client_is_closed_in_its_own_loop(clients: PerLoop[Client]):
    async def main() -> Client:
        own = clients.get()
        await clients.close(Client.close)
        return own

    with loop_in_thread() as here, loop_in_thread() as there:
        made = [here(get(clients)), there(get(clients)), asyncio.run(main())]

    assert [one.closed_in for one in made] == [one.loop for one in made]
    assert not any(one.discarded for one in made)


def test_closed_client_is_made_anew(clients: PerLoop[Client]):
    async def main() -> bool:
        first = clients.get()
        await clients.close(Client.close)
        return clients.get() is not first

    assert asyncio.run(main())


def test_client_of_a_loop_that_does_not_run_is_discarded_at_close(clients: PerLoop[Client]):
    idle = asyncio.new_event_loop()
    client = idle.run_until_complete(get(clients))
    asyncio.run(clients.close(Client.close))
    idle.close()

    assert (client.discarded, client.closed_in) == (True, None)


def test_client_whose_loop_ends_while_it_is_closed_is_discarded(clients: PerLoop[Client]):
    made: list[Client] = []
    ready = threading.Event()

    async def other() -> None:
        end = asyncio.Event()

        async def close(client: Client) -> None:
            end.set()
            await asyncio.Event().wait()

        closes.append(close)
        made.append(clients.get())
        ready.set()
        await end.wait()

    closes: list[Any] = []
    thread = threading.Thread(target=lambda: asyncio.run(other()))
    thread.start()
    assert ready.wait(10)
    asyncio.run(clients.close(closes[0]))
    thread.join()

    assert made[0].discarded


def test_failure_of_one_client_does_not_keep_the_others_open(clients: PerLoop[Client]):
    async def close(client: Client) -> None:
        await client.close()
        if client is bad:
            raise OSError("cannot close")

    with loop_in_thread() as here, loop_in_thread() as there:
        bad, good = here(get(clients)), there(get(clients))
        with pytest.raises(OSError, match="cannot close"):
            asyncio.run(clients.close(close))

    assert good.closed_in is good.loop
