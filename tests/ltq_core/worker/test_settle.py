"""Settling what has run, however long the broker is away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from fake_site import SoundBroker
from ltq_core.errors import BrokerUnavailableError, LeaseLostError
from ltq_core.message import Delivery, Message
from ltq_core.testing import run_virtual
from ltq_core.worker.outcome import Again, Dead
from ltq_core.worker.settle import ACK_LINGER, Settler

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ltq_core.dead_letter import DeadLetter

CURRENT = {"tries": 1, "created_at": 5.0}


class Ledger(SoundBroker):
    """Notes what it is told, unless it is away or the lease is lost."""

    def __init__(self) -> None:
        super().__init__("")
        self.calls: list[str] = []
        self.stored: list[Message] = []
        self.away = 0
        self.lost: set[str] = set()

    def _note(self, call: str, *messages: Message) -> None:
        if self.away:
            self.away -= 1
            raise BrokerUnavailableError("nobody answers")
        for message in messages:
            if message.id in self.lost:
                raise LeaseLostError(message.id)
        self.calls.append(call)

    async def ack_many(self, messages: Sequence[Message]) -> list[Message]:
        self._note("ack " + " ".join(message.id for message in messages))
        return [message for message in messages if message.id in self.lost]

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        stored = Message.from_json(message.to_json())
        self._note(f"drop {message.id}" if drop else f"nack {message.id} {delay:g}", message)
        self.stored.append(stored)


class Graveyard(Ledger):
    """Keeps dead letters too."""

    def __init__(self) -> None:
        super().__init__()
        self.letters: list[DeadLetter] = []

    async def bury(self, message: Message, letter: DeadLetter) -> None:
        letter.to_json()
        self._note(f"bury {message.id}", message)
        self.letters.append(letter)

    async def dead_letters(self, *args: Any) -> list[DeadLetter]:
        raise NotImplementedError

    async def requeue_dead(self, *args: Any) -> int:
        raise NotImplementedError

    async def delete_dead(self, *args: Any) -> int:
        raise NotImplementedError


def message(id_: str) -> Message:
    return Message((), {}, "a:b", dict(CURRENT), id_, Delivery(None, 0.0, 0.0))


def settle(broker: Ledger, act: Callable[[Settler], Awaitable[object] | None]) -> list[str]:
    """What *broker* is told when *act* has ended some runs."""

    async def main() -> None:
        settler = Settler(broker, "worker")
        ended = act(settler)
        if ended is not None:
            await ended
        await settler.finish()
        settler.close()

    run_virtual(main())
    return broker.calls


@pytest.fixture
def broker() -> Graveyard:
    return Graveyard()


def test_successes_travel_together(broker: Graveyard):
    def act(settler: Settler) -> None:
        for id_ in "123":
            settler.done(message(id_))

    assert settle(broker, act) == ["ack 1 2 3"]


def test_success_that_no_claim_carries_travels_alone(broker: Graveyard):
    async def act(settler: Settler) -> None:
        settler.done(message("1"))
        await asyncio.sleep(2 * ACK_LINGER)
        assert broker.calls == ["ack 1"]

    settle(broker, act)


def test_success_that_a_claim_carries_is_not_acked_again(broker: Graveyard):
    async def act(settler: Settler) -> None:
        settler.done(message("1"))
        carried = settler.take()
        assert [one.id for one in carried] == ["1"]
        await asyncio.sleep(10)
        settler.carried(carried)

    assert settle(broker, act) == []


def test_success_whose_claim_failed_is_acked_all_the_same(broker: Graveyard):
    async def act(settler: Settler) -> None:
        settler.done(message("1"))
        carried = settler.take()
        settler.done(message("2"))
        settler.restore(carried)
        await asyncio.sleep(2 * ACK_LINGER)

    assert settle(broker, act) == ["ack 1 2"]


def test_ack_is_repeated_until_the_broker_answers(
    broker: Graveyard, caplog: pytest.LogCaptureFixture
):
    broker.away = 5

    assert settle(broker, lambda settler: settler.done(message("1"))) == ["ack 1"]
    assert caplog.text.count("An ack is tried again in") == 5


def test_lost_lease_of_a_success_is_logged(broker: Graveyard, caplog: pytest.LogCaptureFixture):
    broker.lost = {"1"}
    settle(broker, lambda settler: settler.done(message("1")))

    assert "a:b 1 could not be done: its lease was lost" in caplog.text


def test_lost_lease_of_a_carried_success_is_logged(
    broker: Graveyard, caplog: pytest.LogCaptureFixture
):
    one = message("1")

    def act(settler: Settler) -> None:
        settler.done(one)
        assert one.delivery is not None
        one.delivery.lease_lost = True
        settler.carried(settler.take())

    settle(broker, act)

    assert "a:b 1 could not be done: its lease was lost" in caplog.text


def test_success_that_may_have_been_settled_already_is_no_lost_lease(
    broker: Graveyard, caplog: pytest.LogCaptureFixture
):
    broker.lost = {"1"}

    def act(settler: Settler) -> None:
        settler.done(message("1"))
        settler.restore(settler.take())

    settle(broker, act)

    assert "lease was lost" not in caplog.text


def test_retry_is_counted_and_goes_back_after_its_delay(broker: Graveyard):
    def act(settler: Settler) -> None:
        settler.failed(message("1"), Again(7, ValueError("no")))

    assert settle(broker, act) == ["nack 1 7"]
    ctx = broker.stored[0].ctx
    assert (ctx["tries"], ctx["last_error"]["text"]) == (2, "no")


def test_deferred_run_is_not_counted(broker: Graveyard):
    assert settle(broker, lambda one: one.failed(message("1"), Again(7, None))) == ["nack 1 7"]
    assert broker.stored[0].ctx == CURRENT


def test_retry_is_repeated_until_the_broker_answers_and_counted_once(broker: Graveyard):
    broker.away = 5

    def act(settler: Settler) -> None:
        settler.failed(message("1"), Again(7, ValueError()))

    assert settle(broker, act) == ["nack 1 7"]
    assert broker.stored[0].ctx["tries"] == 2


def test_dead_message_becomes_a_letter(broker: Graveyard):
    def act(settler: Settler) -> None:
        settler.failed(message("1"), Dead("failed", ValueError("no")))

    assert settle(broker, act) == ["bury 1"]
    [letter] = broker.letters
    assert (letter.id, letter.reason, letter.error, letter.worker) == (
        "1",
        "failed",
        "no",
        "worker",
    )


def test_letter_is_repeated_until_the_broker_answers(broker: Graveyard):
    broker.away = 3

    assert settle(broker, lambda one: one.failed(message("1"), Dead("rejected", None))) == [
        "bury 1"
    ]


def test_dead_message_is_dropped_where_no_letters_are_kept():
    def act(settler: Settler) -> None:
        settler.failed(message("1"), Dead("failed", ValueError()))

    assert settle(Ledger(), act) == ["drop 1"]


@pytest.mark.parametrize(
    ("outcome", "word"), [(Again(0, None), "returned"), (Dead("rejected", None), "dropped")]
)
def test_lost_lease_of_a_failure_is_logged(
    broker: Graveyard, caplog: pytest.LogCaptureFixture, outcome: Any, word: str
):
    broker.lost = {"1"}

    assert settle(broker, lambda settler: settler.failed(message("1"), outcome)) == []
    assert f"a:b 1 could not be {word}: its lease was lost" in caplog.text


FAILURES = pytest.mark.parametrize(
    ("outcome", "call", "tries"),
    [
        (Again(0, ValueError("no")), "nack 1 0", 2),
        (Dead("failed", ValueError("no")), "bury 1", 1),
    ],
)


def stored_ctx(message: Message) -> dict[str, Any]:
    """The ctx of *message* as a broker stores it, but for what each run adds."""
    ctx = Message.from_json(message.to_json()).ctx
    return {key: value for key, value in ctx.items() if key not in ("due_at", "last_error")}


@FAILURES
def test_ctx_that_json_cannot_hold_is_put_back_as_it_came(
    broker: Graveyard, caplog: pytest.LogCaptureFixture, outcome: Any, call: str, tries: int
):
    one = message("1")
    one.ctx |= {"bad": object(), "colour": "red"}

    def act(settler: Settler) -> None:
        settler.failed(one, outcome, CURRENT | {"shade": "dark"})

    assert settle(broker, act) == [call]
    assert "a:b 1 goes on as it came: EncodeError" in caplog.text
    assert stored_ctx(one) == {"created_at": 5.0, "shade": "dark", "tries": tries}


@FAILURES
def test_ctx_that_was_changed_in_place_loses_what_json_cannot_hold(
    broker: Graveyard, outcome: Any, call: str, tries: int
):
    one = message("1")
    one.ctx["seen"] = []
    came = one.ctx.copy()
    one.ctx["seen"].append(object())

    assert settle(broker, lambda settler: settler.failed(one, outcome, came)) == [call]
    assert stored_ctx(one) == {"created_at": 5.0, "tries": tries}


@FAILURES
def test_arguments_that_json_cannot_hold_are_put_back_as_they_came(
    broker: Graveyard, caplog: pytest.LogCaptureFixture, outcome: Any, call: str, tries: int
):
    one = Message.from_json(Message(([1],), {"k": 2}, "a:b", CURRENT, "1").to_json())
    one.args[0].append(object())
    one.kwargs = {"k": object()}

    assert settle(broker, lambda settler: settler.failed(one, outcome, CURRENT)) == [call]
    assert (one.args, one.kwargs) == (([1],), {"k": 2})
    assert stored_ctx(one) == {"created_at": 5.0, "tries": tries}
    assert caplog.text.count("a:b 1 goes on as it came: EncodeError") == 1


@FAILURES
@pytest.mark.parametrize(
    "spoiled",
    [
        dict.fromkeys(("tries", "created_at", "due_at", "last_error", "unique"), "nonsense"),
        dict.fromkeys(("tries", "created_at", "due_at", "last_error", "unique")),
        {},
        None,
    ],
    ids=["nonsense", "None", "cleared", "no dict"],
)
def test_no_task_changes_what_ltq_keeps_in_ctx(
    broker: Graveyard, outcome: Any, call: str, tries: int, spoiled: Any
):
    one = message("1")
    came = one.ctx | {"unique": "key"}
    one.ctx = spoiled

    assert settle(broker, lambda settler: settler.failed(one, outcome, came)) == [call]
    assert stored_ctx(one) == came | {"tries": tries}
    assert [(one.tries, one.created_at) for one in broker.letters] in ([], [(2, 5.0)])


@pytest.mark.parametrize(("came", "kept"), [({}, 0.0), ({"due_at": 6.0}, 6.0)])
def test_no_task_changes_when_its_message_was_first_due(
    broker: Graveyard, came: dict[str, Any], kept: float
):
    one = message("1")
    one.ctx["due_at"] = "soon"
    settle(broker, lambda settler: settler.failed(one, Again(0, None), came))

    assert broker.stored[0].ctx["due_at"] == kept


NO = ValueError("no")


@pytest.mark.parametrize(
    ("dead", "level", "text"),
    [
        (Dead("failed", NO), "ERROR", "failed for good (failed): ValueError: no"),
        (
            Dead("tries_exhausted", NO, "failed 3 times"),
            "ERROR",
            "failed for good (tries_exhausted): failed 3 times",
        ),
        (Dead("rejected", NO, "no use"), "WARNING", "is dropped (rejected): no use"),
        (Dead("expired", None), "WARNING", "is dropped (expired): expired"),
    ],
)
def test_death_is_logged(
    broker: Graveyard, caplog: pytest.LogCaptureFixture, dead: Dead, level: str, text: str
):
    settle(broker, lambda settler: settler.failed(message("1"), dead))

    [record] = caplog.records
    assert (record.levelname, record.getMessage()) == (level, f"a:b 1 {text}")
    assert bool(record.exc_info) is (level == "ERROR")


def test_what_nobody_foresaw_is_logged_and_stops_nothing(
    broker: Graveyard, caplog: pytest.LogCaptureFixture
):
    one = message("1")
    one.ctx["tries"] = "two"

    def act(settler: Settler) -> None:
        settler.failed(one, Again(0, ValueError()))
        settler.failed(message("2"), Again(0, None))

    assert settle(broker, act) == ["nack 2 0"]
    assert "A message could not be settled: TypeError" in caplog.text


def test_close_gives_up_what_is_not_settled_yet(broker: Graveyard):
    broker.away = 1_000_000

    async def main() -> None:
        settler = Settler(broker, "worker")
        settler.failed(message("1"), Again(0, None))
        settler.done(message("2"))
        await asyncio.sleep(60)
        settler.done(message("3"))
        settler.close()
        broker.away = 0
        await asyncio.sleep(60)

    run_virtual(main())

    assert broker.calls == []
