"""The message, its JSON form, and bytes that are none."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ltq_core.clock import now
from ltq_core.errors import DecodeError, EncodeError
from ltq_core.message import Delivery, Message, as_it_came, new_id


def test_message_comes_back_equal():
    message = Message((1, "two", [3.5, None]), {"four": {"five": True}}, "a:b", {"tries": 2})

    assert Message.from_json(message.to_json()) == message


def test_json_form_is_plain_and_short():
    message = Message(("x",), {}, "a:b", {"created_at": 1.5}, "id-1")

    assert message.to_json() == (
        b'{"id":"id-1","task_name":"a:b","args":["x"],"ctx":{"created_at":1.5}}'
    )


def test_text_travels_as_it_is():
    message = Message(("naïve ☕ \x00 \U0001f980",))

    assert Message.from_json(message.to_json()).args == message.args


def test_message_is_new_each_time():
    first, second = Message(), Message()

    assert first.id != second.id
    assert first.ctx is not second.ctx
    assert first.kwargs is not second.kwargs


def test_creation_time_is_set():
    before = now()
    created = Message().ctx["created_at"]

    assert before - 0.001 <= created <= now() + 0.001


def test_ids_are_short_and_plain():
    ids = {new_id() for _ in range(1000)}

    assert len(ids) == 1000
    assert all(re.fullmatch("[0-9A-Za-z]+", one) for one in ids)


def test_decoded_message_is_known_as_it_came():
    message = Message(([1],), {"k": {}}, "a:b")
    decoded = Message.from_json(message.to_json())
    decoded.args[0].append(2)
    decoded.kwargs["k"] = object()

    assert as_it_came(decoded) == message
    assert as_it_came(message) is message


def test_delivery_is_outside_of_json_repr_and_equality():
    plain = Message(("x",), {}, "a:b", {}, "id-1")
    delivered = Message(("x",), {}, "a:b", {}, "id-1", Delivery(b"secret", 1.0, 2.0))

    assert delivered == plain
    assert repr(delivered) == repr(plain)
    assert delivered.to_json() == plain.to_json()
    assert Message.from_json(delivered.to_json()).delivery is None


def test_unknown_fields_are_ignored():
    data = b'{"id":"1","task_name":"a:b","priority":9,"ctx":{"colour":"red"},"args":[1]}'

    assert Message.from_json(data) == Message((1,), {}, "a:b", {"colour": "red"}, "1")


def test_message_is_read_from_text_too():
    assert Message.from_json('{"id":"1","task_name":"a:b"}').id == "1"


HOSTILE: dict[str, bytes | str] = {
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "no fields": b"{}",
    "no UTF-8": b'{"id":"\xff\xfe","task_name":"a:b"}',
    "a surrogate": "\ud800",
    "half a surrogate pair": b'{"id":"1","task_name":"a:b","args":["\\ud800"]}',
    "cut": b'{"id":"1","task_na',
    "more behind": b'{"id":"1","task_name":"a:b"} {}',
    "a number as id": b'{"id":1,"task_name":"a:b"}',
    "args as an object": b'{"id":"1","task_name":"a:b","args":{}}',
    "kwargs as a list": b'{"id":"1","task_name":"a:b","kwargs":[]}',
    "ctx as a text": b'{"id":"1","task_name":"a:b","ctx":"x"}',
    "NaN": b'{"id":"1","task_name":"a:b","args":[NaN]}',
    "too great": b'{"id":"1","task_name":"a:b","args":[1e999]}',
    "too many digits": b'{"id":"1","task_name":"a:b","args":[' + b"9" * 10_000 + b"]}",
    "too deep": b'{"id":"1","task_name":"a:b","args":' + b"[" * 100_000,
    "a pickle": b"cos\nsystem\n(S'true'\ntR.",
    "tries as a text": b'{"id":"1","task_name":"a:b","ctx":{"tries":"two"}}',
    "tries as null": b'{"id":"1","task_name":"a:b","ctx":{"tries":null}}',
    "a due time as a text": b'{"id":"1","task_name":"a:b","ctx":{"due_at":"now"}}',
    "a creation time as a list": b'{"id":"1","task_name":"a:b","ctx":{"created_at":[]}}',
}  # fmt: skip


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_bytes_that_are_no_message_are_a_decode_error(data: bytes | str):
    with pytest.raises(DecodeError, match="These bytes are no message"):
        Message.from_json(data)


def test_decode_error_shows_nothing_of_the_arguments():
    with pytest.raises(DecodeError) as caught:
        Message.from_json(b'{"id":7,"args":["hunter2"],"task_name":"a:b"}')

    assert "hunter2" not in str(caught.value)


def endless() -> list[Any]:
    """A list that holds itself."""
    loop: list[Any] = []
    loop.append(loop)
    return loop


@pytest.mark.parametrize("value", [object(), "\ud800", {(1, 2): 3}, 1j, endless()])
def test_what_is_no_json_is_an_encode_error_that_names_the_message(value: object):
    message = Message((value,), {}, "a:b")

    with pytest.raises(EncodeError, match=f"Message {message.id} of 'a:b' cannot be stored"):
        message.to_json()


def test_json_form_is_json():
    message = Message(('"\\\n',), {"k": 1e-300}, "a:b", {"tries": 1})

    assert json.loads(message.to_json()) == {
        "id": message.id,
        "task_name": "a:b",
        "args": ['"\\\n'],
        "kwargs": {"k": 1e-300},
        "ctx": {"tries": 1},
    }
