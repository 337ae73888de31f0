"""R9: whatever stands in Redis, the workers go on."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
from typing import TYPE_CHECKING

from redis import ResponseError
from registry import scenario
from report import some
from stage import UNSETTLED
from waiting import until

from ltq_core import BrokerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stage import Stage

QUEUE = "chaos:act"

SPOILED = ("queue", "ltq:deliveries", "ltq:suspects", "ltq:workers", "ltq:wake")
"""The kinds of keys that get another type."""


@scenario("R9")
async def fuzzed_bytes(stage: Stage) -> None:
    """Malformed and random bytes stand among the messages of a queue."""
    await stage.redis()
    # Each once: one that is added again when it is a dead letter already is told of again.
    members = list(dict.fromkeys(_fuzzed(stage.size(1000, 400))))
    workers = [stage.run(), stage.run()]
    with stage.server.client() as client:
        for n, raw in enumerate(members):
            client.zadd(f"queue:{QUEUE}", {raw: n})
            if n % 2:
                await stage.send(1, "")
        good = list(stage.accepted)
        await stage.finish()
        letters = client.hvals(f"ltq:letters:{QUEUE}")
    known = {json.loads(letter)["id"] for letter in letters}
    missing = [repr(raw[:60]) for raw in members if _letter_id(raw) not in known]
    stage.report.note(f"{len(members)} bad members, {len(letters)} dead letters")
    stage.report.expect(not missing, f"no dead letter for {some(missing)}")
    stage.report.expect(len(letters) == len(members), "dead letters nobody asked for")
    stage.report.expect(not stage.tally.lost(good), "a good message was lost")
    _expect_one_line_each(stage, [worker.log.read_text() for worker in workers], known)


@scenario("R9")
async def mutated_messages(stage: Stage) -> None:
    """Real messages with flipped, cut and doubled bytes: some still are messages."""
    await stage.redis()
    stage.run(), stage.run()
    dice = random.Random(9)
    sender = stage.tasks["once"]
    with stage.server.client() as client:
        for n in range(stage.size(1000, 400)):
            raw = bytearray(sender.message(f"mutant-{n}", [""]).to_json())
            for _ in range(dice.randint(1, 4)):
                _mutate(raw, dice)
            client.zadd("queue:chaos:once", {bytes(raw): n})
            await stage.send(1, "", task="once")
    await stage.finish()
    stage.report.note(f"{len(stage.store.dead('once'))} dead letters")


@scenario("R9")
async def wrong_types(stage: Stage) -> None:
    """A key of the wrong type stops its own queue alone, until somebody mends it."""
    await stage.redis()
    stage.run(), stage.run()
    for kind in SPOILED:
        await _spoil(stage, f"{kind}:chaos:other")
    await stage.finish()


@scenario("R9")
async def no_dead_letters(stage: Stage) -> None:
    """Dead letters find a key of the wrong type: what cannot be buried is kept."""
    stage.allow(UNSETTLED)
    await stage.redis()
    worker = stage.run()
    with stage.server.client() as client:
        client.set(f"ltq:dead:{QUEUE}", "of another type")
        client.zadd(f"queue:{QUEUE}", {"no message": 0})
        rejected = await stage.send(20, "reject")
        await stage.send(100, "sleep 0.1")
        await stage.until_ended()
        wanted = len(rejected) + 1
        await until(lambda: stage.store.held("act") == wanted, 5, f"{wanted} messages are kept")
        client.delete(f"ltq:dead:{QUEUE}")
    await worker.stop()
    stage.run()
    await stage.finish()
    letters = len(stage.store.dead("act"))
    stage.report.expect(letters == wanted, f"{letters} dead letters, not {wanted}")


async def _spoil(stage: Stage, key: str) -> None:
    with stage.server.client() as client:
        client.delete(key)
        client.set(key, "of another type")
        try:
            await stage.send(1, "reject", task="other")
            client.zadd("queue:chaos:other", {f"no message beside {key}": 0})
        except (BrokerError, ResponseError) as error:
            stage.report.expect(key.startswith("queue"), f"{key}: {error!r}")
        for _ in range(stage.size(40, 5)):
            await stage.until_ended(await stage.send(50, "sleep 0.1"), 10)
        client.delete(key)
    await stage.until_ended(await stage.send(20, "sleep 0.1", task="other"), 15)


def _fuzzed(count: int) -> Iterator[bytes]:
    """Members that are no messages."""
    dice = random.Random(4)
    fixed = [
        b"", b"\0", b"null", b"[]", b"{}", b'"text"', b"1e999", b"-", b"{" * 50_000,
        b"[" * 50_000 + b"]" * 50_000, b'{"id":' * 5_000, b"9" * 100_000, b"\xff\xfe{}",
        b"NaN", b"Infinity", b'{"__reduce__": ["os.system", ["true"]]}',
        b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94.",
        b"x" * 3_000_000,
    ]  # fmt: skip
    yield from fixed
    shapes = (_random_bytes, _wrong_fields, _unfit_arguments, _cut, _printable)
    for n in range(count - len(fixed)):
        yield shapes[n % len(shapes)](n, dice)


def _random_bytes(n: int, dice: random.Random) -> bytes:
    return os.urandom(8) + dice.randbytes(dice.randint(0, 300))


def _wrong_fields(n: int, dice: random.Random) -> bytes:
    fields: dict[str, object] = {"id": f"wrong-{n}", "task_name": QUEUE, "args": ["k", [""]]}
    name = dice.choice(["id", "task_name", "args", "kwargs", "ctx"])
    fields[name] = dice.choice([None, n, n / 7, True, "text", [[]], {"a": []}][:4])
    return json.dumps(fields).encode()


def _unfit_arguments(n: int, dice: random.Random) -> bytes:
    args = dice.choice([[], [n], ["k", [""], n], ["k", "text"], [None, [""]], ["k", [{}]]])
    kwargs = dice.choice([{}, {"no_such": 1}])
    return json.dumps(
        {"id": f"unfit-{n}", "task_name": QUEUE, "args": args, "kwargs": kwargs}
    ).encode()


def _cut(n: int, dice: random.Random) -> bytes:
    whole = json.dumps({"id": f"cut-{n}", "task_name": QUEUE, "args": ["k", [""]]})
    return whole[: dice.randint(1, len(whole) - 1)].encode() + b" " * n


def _printable(n: int, dice: random.Random) -> bytes:
    return f"{n} \x1b[31mERROR\r\n forged line ".encode() + dice.randbytes(3).hex().encode()


def _mutate(raw: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(raw))
    match dice.randrange(4):
        case 0:
            raw[at] = dice.randrange(256)
        case 1:
            del raw[at : at + dice.randint(1, 9)]
        case 2:
            raw[at:at] = raw[at : at + dice.randint(1, 9)]
        case _:
            raw[at:at] = dice.choice([b'"', b"{", b"]", b"\\u0000", b"1e400", b"\xc3"])
    raw[:] = raw or b"?"


def _letter_id(raw: bytes) -> str:
    if raw.startswith(b'{"id": "unfit-'):
        return str(json.loads(raw)["id"])
    return hashlib.sha256(raw).hexdigest()[:16]


def _expect_one_line_each(stage: Stage, logs: list[str], ids: set[str]) -> None:
    text = "\n".join(logs)
    odd = [one for one in ids if len(re.findall(rf"\b{one}\b", text)) != 1]
    stage.report.expect(not odd, f"not logged exactly once: {some(odd)}")
    forged = [line for line in text.splitlines() if line.lstrip().startswith("forged")]
    stage.report.expect(not forged, "a payload forged a log line")
