"""Dead letters as values: their JSON form, their revival, and those of bad bytes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ltq_core.dead_letter import REASONS, DeadLetter, revived, undecodable
from ltq_core.errors import DecodeError, EncodeError
from ltq_core.message import Message

MESSAGE = Message(
    ("x",), {"k": 1}, "a:b", {"tries": 2, "due_at": 5.0, "created_at": 1.0}, "id-1"
)
LETTER = DeadLetter(
    id="id-1",
    queue="a:b",
    reason="tries_exhausted",
    died_at=9.5,
    message=MESSAGE,
    error_type="ValueError",
    error="no",
    traceback="Traceback …",
    tries=3,
    crashes=1,
    created_at=1.0,
    worker="a",
    host="h",
)


def test_letter_comes_back_equal():
    assert DeadLetter.from_json(LETTER.to_json()) == LETTER


def test_letter_without_a_message_comes_back_equal():
    letter = replace(LETTER, message=None, body="\\xff")

    assert DeadLetter.from_json(letter.to_json()) == letter


@pytest.mark.parametrize("reason", [*REASONS, "known to a newer version"])
def test_letter_of_every_reason_comes_back(reason: str):
    assert DeadLetter.from_json(replace(LETTER, reason=reason).to_json()).reason == reason


def test_message_is_embedded_as_json():
    assert LETTER.to_json().endswith(b',"message":' + MESSAGE.to_json() + b"}")


def test_unknown_fields_of_a_letter_are_ignored():
    data = b'{"id":"1","queue":"a:b","reason":"failed","died_at":1,"mood":"sad"}'

    assert DeadLetter.from_json(data) == DeadLetter("1", "a:b", "failed", 1.0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"id":"1","queue":"a:b","reason":7,"died_at":1}',
        b'{"id":"1","queue":"a:b","reason":"failed","died_at":1,"message":7}',
        b"[" * 100_000,
    ],
)
def test_bytes_that_are_no_letter_are_a_decode_error(data: bytes):
    with pytest.raises(DecodeError):
        DeadLetter.from_json(data)


def test_letter_whose_message_is_no_json_is_an_encode_error():
    letter = replace(LETTER, message=Message((object(),)))

    with pytest.raises(EncodeError):
        letter.to_json()


def test_letter_whose_text_is_no_unicode_is_an_encode_error():
    with pytest.raises(EncodeError, match="cannot be stored as JSON"):
        replace(LETTER, error="\ud800").to_json()


def test_revived_message_starts_anew_and_keeps_its_history():
    message = revived(LETTER)

    assert message is not None
    assert (message.id, message.args, message.kwargs) == ("id-1", ("x",), {"k": 1})
    assert message.ctx == {
        "created_at": 1.0,
        "history": [
            {"reason": "tries_exhausted", "error": "ValueError: no", "tries": 3, "died_at": 9.5}
        ],
    }


def test_letter_is_left_as_it_is_by_a_revival():
    revived(LETTER)

    assert MESSAGE.ctx == {"tries": 2, "due_at": 5.0, "created_at": 1.0}


def test_history_keeps_the_ten_latest_deaths():
    letter = LETTER
    for death in range(12):
        message = revived(replace(letter, died_at=float(death)))
        letter = replace(letter, message=message)

    assert message is not None
    assert [one["died_at"] for one in message.ctx["history"]] == list(range(2, 12))


@pytest.mark.parametrize("history", [7, "text", None, {"a": 1}])
def test_history_that_is_none_is_begun_anew(history: object):
    letter = replace(LETTER, message=Message(ctx={"history": history}))
    message = revived(letter)

    assert message is not None
    assert len(message.ctx["history"]) == 1


def test_letter_without_a_message_cannot_be_revived():
    assert revived(replace(LETTER, message=None)) is None


def test_undecodable_bytes_are_named_by_their_hash():
    letter = undecodable("a:b", b"\xff\x1bhello", DecodeError("no\nJSON"), 5.0, "a")

    assert letter.id == "45b1c17f43eb66fc"
    assert (letter.reason, letter.queue, letter.died_at) == ("undecodable", "a:b", 5.0)
    assert letter.message is None
    assert letter.body == r"\xff\x1bhello"
    assert (letter.error_type, letter.error) == ("DecodeError", r"no\nJSON")


def test_undecodable_bytes_are_cut():
    letter = undecodable("a:b", b"x" * 1_000_000, DecodeError("no"), 5.0)

    assert letter.body == "x" * 2000
    assert DeadLetter.from_json(letter.to_json()) == letter
