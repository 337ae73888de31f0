"""Facts about what a message may hold, and about bytes that are no message."""

from __future__ import annotations

from typing import Any

import pytest

from ltq_core.errors import EncodeError
from ltq_core.message import Message
from ltq_core.testing.lab import QUEUE, Lab, label, labels, message
from ltq_core.testing.suite import Conformance, fact

ODD: dict[str, Any] = {
    "nothing": None,
    "truths": [True, False],
    "numbers": [0, -1, 2**63 - 1, -(2**63), 2**70, 0.1, 1e308, -5e-324, 1.0, -0.0],
    "texts": ["", " ", "\x00\x1f\x7f", "\u2028\u2029", '"\\/', "żółć 漢字 🦀", "{0} %s {{}}"],
    "composed or not": ["\u00e9", "e\u0301", "\u1e9b\u0323"],
    "looks like JSON": '{"args": [1]}',
    "keys": {"": 1, "a b": 2, ":{}": 3, "🦀": 4, "e\u0301": 5, "\u00e9": 6},
    "empty": [[], {}, [[]], [{}]],
    "deep": [[[[[[[[[[[[[[[[[[[[["bottom"]]]]]]]]]]]]]]]]]]]]],
}

NO_MESSAGES = (
    b"",
    b"\xff\xfe\x00",
    b"no json",
    b"null",
    b"[]",
    b"{}",
    b'{"id": 1, "task_name": "a"}',
    b'{"id": "a", "task_name": "a", "args": 3}',
    b'{"id": "a", "task_name": "a", "args": [1]',
    b"[" * 100_000,
)
"""Bytes that are stored but no message."""

UNTOUCHED = (["a"], ["b"], ["c"])
"""What `_inside` finds where nobody scribbled."""


class PayloadFacts(Conformance):
    """What fits into JSON arrives; nothing stored stops a consumer."""

    @fact
    async def test_odd_arguments_arrive_equal(self, lab: Lab) -> None:
        """Whatever JSON can say arrives as it was sent, alone or in bulk."""
        alone, in_bulk = _odd(), _odd()
        sent = [alone.to_json(), in_bulk.to_json()]
        await lab.broker.publish(alone)
        await lab.broker.publish_many([in_bulk])

        assert [(await lab.consume()).to_json() for _ in sent] == sent

    @fact
    async def test_odd_values_survive_a_nack(self, lab: Lab) -> None:
        """What a run made of its message comes back from a nack as it was, in every part."""
        await lab.publish("a")
        received = await lab.consume()
        odd = _odd()
        received.args, received.kwargs, received.ctx = odd.args, odd.kwargs, odd.ctx
        left = received.to_json()
        await lab.broker.nack(received)

        assert (await lab.consume()).to_json() == left

    @fact
    async def test_values_keep_their_types(self, lab: Lab) -> None:
        """No value arrives as another one that Python takes for equal: True, 1 and 1.0."""
        equals: list[Any] = [True, 1, 1.0, False, 0, 0.0, -0.0]
        sent = Message(tuple(equals), {"nested": [equals]}, QUEUE)
        sent.ctx["own"] = equals
        await lab.broker.publish(sent)
        received = await lab.consume()

        assert repr(received.args) == repr(sent.args)
        assert repr(received.kwargs) == repr(sent.kwargs)
        assert repr(received.ctx["own"]) == repr(equals)

    @fact
    async def test_large_message_arrives_equal(self, lab: Lab) -> None:
        """A message of half a megabyte arrives as it was sent."""
        sent = message("x" * 500_000)
        await lab.broker.publish(sent)

        assert label(await lab.consume()) == sent.args[0]

    @fact
    async def test_message_without_arguments_arrives(self, lab: Lab) -> None:
        """A message may have no arguments at all, and an empty ``ctx``."""
        sent = Message(task_name=QUEUE, ctx={})
        await lab.broker.publish(sent)

        assert await lab.consume() == sent

    @fact
    async def test_what_is_no_json_is_refused(self, lab: Lab) -> None:
        """Publishing what JSON cannot say raises EncodeError and stores nothing."""
        with pytest.raises(EncodeError):
            await lab.broker.publish(Message((object(),), task_name=QUEUE))
        with pytest.raises(EncodeError):
            await lab.broker.publish_many([Message((object(),), task_name=QUEUE)] * 2)

        assert await lab.broker.size(QUEUE) == 0

    @fact
    async def test_later_changes_of_a_sent_message_are_not_seen(self, lab: Lab) -> None:
        """A message is stored as it was when it was published, to its depth."""
        sent = _nested()
        await lab.broker.publish(sent)
        _scribble(sent)
        sent.ctx["later"] = True
        received = await lab.consume()

        assert _inside(received) == UNTOUCHED
        assert "later" not in received.ctx

    @fact
    async def test_sender_does_not_see_what_a_run_changes(self, lab: Lab) -> None:
        """What a run does to its message does not reach the object that was published."""
        sent = _nested()
        await lab.broker.publish_many([sent])
        _scribble(await lab.consume())

        assert _inside(sent) == UNTOUCHED

    @fact
    async def test_received_message_is_not_shared(self, lab: Lab) -> None:
        """What a run does to its message is gone when the message is delivered anew."""
        worker = await lab.connect()
        await lab.broker.publish(_nested())
        _scribble(await lab.consume(worker))
        await worker.close()

        assert _inside(await lab.consume()) == UNTOUCHED

    @fact
    async def test_returned_message_is_not_shared(self, lab: Lab) -> None:
        """What is done to a message after its nack is not stored."""
        await lab.broker.publish(_nested())
        received = await lab.consume()
        await lab.broker.nack(received)
        _scribble(received)

        assert _inside(await lab.consume()) == UNTOUCHED

    @fact
    async def test_messages_share_nothing(self, lab: Lab) -> None:
        """Messages that were built from one list and one dict are apart when they arrive."""
        first = _nested()
        second = Message(first.args, first.kwargs, QUEUE, first.ctx)
        await lab.broker.publish_many([first, second])
        _scribble(await lab.consume())

        assert _inside(await lab.consume()) == UNTOUCHED

    @fact
    async def test_bad_bytes_stop_no_consumer(self, lab: Lab) -> None:
        """Stored bytes that are no message are never handed out and hold nothing up."""
        waiting = lab.start(lab.consume())
        for data in NO_MESSAGES:
            await self.put_raw(lab.broker, QUEUE, data)
        await lab.publish("good")

        assert label(await waiting) == "good"
        assert await lab.rest() == []
        assert await lab.broker.size(QUEUE) == 0

    @fact
    async def test_bad_bytes_are_settled(self, lab: Lab) -> None:
        """Stored bytes that are no message wait no more once a consumer came upon them."""
        worker = await lab.connect()
        await self.put_raw(worker, QUEUE, NO_MESSAGES[0])
        await lab.publish("good")
        await lab.take(1, worker)
        await worker.close()

        assert await lab.broker.size(QUEUE) == 0

    @fact
    async def test_bad_bytes_cost_no_other_of_a_batch(self, lab: Lab) -> None:
        """What stands behind bad bytes is handed out with what stands before them."""
        worker = await lab.connect()
        await lab.publish("before")
        await self.put_raw(worker, QUEUE, NO_MESSAGES[0])
        await lab.publish("behind")
        found: list[str] = []
        while len(found) < 2:
            found += labels(await lab.soon(worker.consume_many([QUEUE], 10), "consume_many"))

        assert sorted(found) == ["before", "behind"]


def _odd() -> Message:
    odd = Message(tuple(ODD.values()), dict(ODD), QUEUE)
    odd.ctx["odd"] = ODD
    return odd


def _nested() -> Message:
    """A message that holds a list in each of its parts."""
    sent = Message((["a"],), {"more": ["b"]}, QUEUE)
    sent.ctx["list"] = ["c"]
    return sent


def _scribble(changed: Message) -> None:
    for part in (changed.args[0], changed.kwargs["more"], changed.ctx["list"]):
        part.append("changed")


def _inside(seen: Message) -> tuple[Any, Any, Any]:
    return seen.args[0], seen.kwargs["more"], seen.ctx["list"]
