"""The broker contract against a simple model: hypothesis looks for a history that differs.

Two connections to one store do what workers and producers do, in any order. The model
knows nothing of leases, scripts or wake-ups: a message waits at its place, or a connection
holds it, or it is dead, or it is gone.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from ltq_core.abilities import DeadLetter
from ltq_core.broker import Broker
from ltq_core.message import Message
from ltq_core.testing.cancelling import cancelled
from ltq_memory.broker import MemoryBroker

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    import redis

QUEUES = ("mail:send", "mail:digest")
CONNECTIONS = (0, 1)
FOREVER = 3600.0  # a delay that does not end within a test
PATIENCE = 10.0  # seconds for a call that has something to return

pick = st.builds(random.Random, st.integers(0, 1 << 32))
connection, queue = st.sampled_from(CONNECTIONS), st.sampled_from(QUEUES)


@dataclass
class Entry:
    """A message as the model sees it.

    Attributes:
        id: Which one.
        place: Where it stands among those that are due.
        runs: What its ``ctx`` must say when it is handed out.
    """

    id: str
    place: int
    runs: int = 0


@dataclass
class Model:
    """What a queue is to hold.

    Attributes:
        due: What waits and may be handed out.
        delayed: What waits and may not.
        held: What each connection was given.
        dead: What was given up.
    """

    due: dict[str, Entry] = field(default_factory=dict)
    delayed: dict[str, Entry] = field(default_factory=dict)
    held: dict[int, dict[str, tuple[Entry, Message]]] = field(
        default_factory=lambda: {number: {} for number in CONNECTIONS}
    )
    dead: dict[str, Entry] = field(default_factory=dict)

    def in_order(self) -> list[Entry]:
        """What is due, as it is to be handed out."""
        return sorted(self.due.values(), key=lambda entry: entry.place)

    def return_all(self, number: int) -> None:
        """A connection closed: what it held stands again at its place."""
        self.due.update({id_: entry for id_, (entry, _) in self.held[number].items()})
        self.held[number].clear()


class BrokerMachine(RuleBasedStateMachine):
    """Calls of two connections, each compared with the model."""

    def __init__(self, make: Callable[[str], Any], look: Callable[[str], list[str]]) -> None:
        super().__init__()
        self.store = f"{secrets.token_hex(4)}:"
        self.look = look
        self.runner = asyncio.Runner()
        self.brokers = [make(self.store) for _ in CONNECTIONS]
        self.models = {name: Model() for name in QUEUES}
        self.places = itertools.count()

    def run(self, call: Coroutine[Any, Any, Any]) -> Any:
        """What *call* returns, in time."""
        return self.runner.run(asyncio.wait_for(call, PATIENCE))

    def new(self, name: str) -> tuple[Message, Entry]:
        """A new message for a queue, and its entry."""
        place = next(self.places)
        message = Message((), {}, name, {"runs": 0}, f"{place:04}")
        return message, Entry(message.id, place)

    def some_held(
        self, choice: random.Random, most: int
    ) -> list[tuple[int, str, Entry, Message]]:
        """Up to *most* messages that are held: by whom, in which queue."""
        held = [
            (number, name, *pair)
            for name, model in self.models.items()
            for number in CONNECTIONS
            for pair in model.held[number].values()
        ]
        return choice.sample(held, min(most, len(held)))

    @rule(number=connection, name=queue, delayed=st.booleans())
    def publish(self, number: int, name: str, delayed: bool) -> None:
        message, entry = self.new(name)
        self.run(self.brokers[number].publish(message, FOREVER if delayed else 0))
        model = self.models[name]
        (model.delayed if delayed else model.due)[entry.id] = entry

    @rule(number=connection, name=queue, count=st.integers(2, 6))
    def publish_many(self, number: int, name: str, count: int) -> None:
        pairs = [self.new(name) for _ in range(count)]
        self.run(self.brokers[number].publish_many([message for message, _ in pairs]))
        self.models[name].due.update({entry.id: entry for _, entry in pairs})

    @rule(number=connection, limit=st.integers(1, 6), choice=pick)
    def consume(self, number: int, limit: int, choice: random.Random) -> None:
        if not any(model.due for model in self.models.values()):
            return
        acks = [one for one in self.some_held(choice, 3) if one[0] == number]
        messages = [message for *_, message in acks]
        got = self.run(self.brokers[number].consume_many(QUEUES, limit, messages))
        for _, name, entry, _ in acks:
            del self.models[name].held[number][entry.id]

        assert 1 <= len(got) <= limit
        self.take(number, got)

    def take(self, number: int, got: Sequence[Message]) -> None:
        """What was handed out is the first that was due, as it was left."""
        for name, model in self.models.items():
            mine = [message for message in got if message.task_name == name]
            expected = model.in_order()[: len(mine)]
            assert [one.id for one in mine] == [entry.id for entry in expected]
            assert [one.ctx["runs"] for one in mine] == [entry.runs for entry in expected]
            for message, entry in zip(mine, expected, strict=True):
                del model.due[entry.id]
                model.held[number][entry.id] = (entry, message)

    @rule(number=connection, limit=st.integers(1, 4), turns=st.integers(0, 40))
    def consume_and_be_cancelled(self, number: int, limit: int, turns: int) -> None:
        broker = self.brokers[number]

        async def call() -> list[Message]:
            got = await cancelled(broker.consume_many(QUEUES, limit), turns)
            await broker.release()
            return got or []

        self.take(number, self.run(call()))

    @rule(choice=pick, bulk=st.booleans())
    def ack(self, choice: random.Random, bulk: bool) -> None:
        for number, name, entry, message in self.some_held(choice, 1):
            if bulk:
                assert self.run(self.brokers[number].ack_many([message])) == []
            else:
                self.run(self.brokers[number].ack(message))
            del self.models[name].held[number][entry.id]

    @rule(choice=pick, delayed=st.booleans())
    def retry(self, choice: random.Random, delayed: bool) -> None:
        for number, name, entry, message in self.some_held(choice, 2):
            message.ctx["runs"] = entry.runs = entry.runs + 1
            self.run(self.brokers[number].nack(message, FOREVER if delayed else 0))
            model = self.models[name]
            del model.held[number][entry.id]
            (model.delayed if delayed else model.due)[entry.id] = entry

    @rule(choice=pick)
    def drop(self, choice: random.Random) -> None:
        for number, name, entry, message in self.some_held(choice, 1):
            self.run(self.brokers[number].nack(message, drop=True))
            del self.models[name].held[number][entry.id]

    @rule(choice=pick)
    def bury(self, choice: random.Random) -> None:
        for number, name, entry, message in self.some_held(choice, 2):
            letter = DeadLetter(message.id, name, "failed", 0.0, message)
            self.run(self.brokers[number].bury(message, letter))
            del self.models[name].held[number][entry.id]
            self.models[name].dead[entry.id] = entry

    @rule(number=connection, name=queue, choice=pick)
    def requeue(self, number: int, name: str, choice: random.Random) -> None:
        model = self.models[name]
        ids = choice.sample(sorted(model.dead), min(2, len(model.dead)))
        for id_ in ids:
            assert self.run(self.brokers[number].requeue_dead(name, [id_])) == 1
            entry = model.dead.pop(id_)
            entry.place = next(self.places)
            model.due[id_] = entry

    @rule(number=connection, name=queue)
    def clear(self, number: int, name: str) -> None:
        self.run(self.brokers[number].clear(name))
        self.models[name].due.clear()
        self.models[name].delayed.clear()

    @rule(number=connection)
    def close_and_go_on(self, number: int) -> None:
        self.run(self.brokers[number].close())
        for model in self.models.values():
            model.return_all(number)

    @invariant()
    def sizes_agree(self) -> None:
        for name, model in self.models.items():
            expected = len(model.due) + len(model.delayed)
            assert self.run(self.brokers[0].size(name)) == expected

    def teardown(self) -> None:
        """What is held comes back, once; after that nothing is left."""
        try:
            self.end()
        finally:
            for broker in self.brokers:
                self.run(broker.close())
            self.runner.close()

    def end(self) -> None:
        for broker in self.brokers:
            self.run(broker.close())
        for name, model in self.models.items():
            for number in CONNECTIONS:
                model.return_all(number)
            seen: list[tuple[str, int]] = []
            while len(seen) < len(model.due):
                got = self.run(self.brokers[0].consume_many([name], 10))
                seen += [(one.id, one.ctx["runs"]) for one in got]
                self.run(self.brokers[0].ack_many(got))
            assert seen == [(entry.id, entry.runs) for entry in model.in_order()]
            self.run(self.brokers[0].clear(name))
            self.run(self.brokers[0].delete_dead(name, list(model.dead)))
        self.run(self.brokers[0].close())
        assert self.look(self.store) == []


LIMITS = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=list(HealthCheck),
)


def check(
    make: Callable[[str], Any],
    look: Callable[[str], list[str]] = lambda store: [],
    limits: settings = LIMITS,
) -> None:
    """Let hypothesis look for a history in which a broker and the model differ.

    Args:
        make: A new connection to the store of that name.
        look: What is left in a store.
        limits: How long to look.
    """
    run_state_machine_as_test(lambda: BrokerMachine(make, look), settings=limits)


def test_memory_agrees_with_the_model() -> None:
    check(lambda store: Broker.from_url(f"memory://{store[:-1]}"))


def test_redis_agrees_with_the_model(
    redis_store: str, redis_client: redis.Redis, redis_prefix: str
) -> None:
    def look(store: str) -> list[str]:
        keys = redis_client.scan_iter(f"{redis_prefix}{store}*")
        return sorted(key.decode() for key in keys)

    check(lambda store: Broker.from_url(f"{redis_store}{store}"), look)


class Forgetful(MemoryBroker):
    """Loses what a run left in ``ctx``."""

    async def nack(self, message: Message, delay: float = 0, drop: bool = False) -> None:
        message.ctx["runs"] = 0
        await super().nack(message, delay, drop)


def test_model_notices_a_broker_that_differs() -> None:
    """Without this, a machine that never gets anywhere would pass too."""
    with pytest.raises(AssertionError):
        check(
            lambda store: Forgetful(f"memory://{store[:-1]}"),
            limits=settings(LIMITS, max_examples=500, phases=[Phase.generate]),
        )
