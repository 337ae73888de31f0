"""Brokers that are wrong only when processes compete or are killed: each fault is caught."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from guide_broker import guide_broker
from ltq_core.testing import ProcessConformance

if TYPE_CHECKING:
    from pathlib import Path

    from fake_site import FakeSite
    from ltq_core.broker import Broker

__all__ = ["guide_broker"]

WRONG = '''
import asyncio, os, time
from contextlib import contextmanager

import msgspec

from ltq_core import DeadLetter
from ltq_jsonfile import store
from ltq_jsonfile.broker import JsonFileBroker, receipt_of


class Sound(JsonFileBroker):
    """Not wrong at all."""


class Unlocked(store.Store):
    @contextmanager
    def step(self):
        before = self.path.read_bytes() if self.path.exists() else b"{}"
        data = msgspec.json.decode(before, type=store.Data)
        yield data
        new = self.path.with_suffix(f".{os.getpid()}")
        new.write_bytes(msgspec.json.encode(data))
        new.replace(self.path)


class ForgetsTheLock(JsonFileBroker):
    """Processes overwrite what others wrote meanwhile."""

    def __init__(self, url):
        super().__init__(url)
        self._store = Unlocked(self.path)


class CleansUp(JsonFileBroker):
    """It takes its file along when it closes."""

    async def close(self):
        await super().close()
        self.path.unlink(missing_ok=True)


class StoresLater(JsonFileBroker):
    """A publish returns before its message is stored."""

    async def publish(self, message, delay=0):
        asyncio.get_running_loop().call_later(0.05, self._put, message)

    def _put(self, message):
        self._store.put(message.task_name, message.id, message.to_json(), 0)


class AcksLater(JsonFileBroker):
    """An ack returns before its message is gone."""

    async def ack(self, message):
        self._held.pop(receipt_of(message))
        asyncio.get_running_loop().call_later(0.05, self._store.settle, receipt_of(message))


class RemovesThenAdds(JsonFileBroker):
    """Who is killed in between loses the message."""

    async def nack(self, message, delay=0, drop=False):
        await self.ack(message)
        time.sleep(0.02)
        await self.publish(message, delay)


class AddsThenRemoves(JsonFileBroker):
    """Who is killed in between doubles it."""

    async def nack(self, message, delay=0, drop=False):
        await self.publish(message, delay)
        time.sleep(0.02)
        await self.ack(message)


class AcksThenBuries(JsonFileBroker):
    """Who is killed in between loses the message; letters are files of their own."""

    async def bury(self, message, letter):
        await self.ack(message)
        time.sleep(0.02)
        part = self._letter(letter).with_suffix(".part")
        part.write_bytes(letter.to_json())
        part.replace(self._letter(letter))

    async def dead_letters(self, queue, ids=None, limit=1000):
        files = self.path.parent.glob(f"{queue}.*.letter")
        letters = [DeadLetter.from_json(file.read_bytes()) for file in files]
        return [each for each in letters if ids is None or each.id in ids]

    async def requeue_dead(self, queue, ids):
        for letter in await self.dead_letters(queue, ids):
            await self.publish(letter.message)
            self._letter(letter).unlink()

    async def delete_dead(self, queue, ids): ...

    def _letter(self, letter):
        return self.path.with_name(f"{letter.queue}.{letter.id}.letter")
'''

CAUGHT_BY = {
    "ForgetsTheLock": "test_competing_processes_lose_and_double_nothing",
    "CleansUp": "test_durable_message_outlives_who_sent_it",
    "StoresLater": "test_publish_of_a_killed_process_is_whole",
    "AcksLater": "test_ack_of_a_killed_process_is_whole",
    "RemovesThenAdds": "test_nack_of_a_killed_process_is_whole",
    "AddsThenRemoves": "test_nack_of_a_killed_process_is_whole",
    "AcksThenBuries": "test_burial_of_a_killed_process_is_whole",
}


class Check:
    """Runs facts with one of the brokers above."""

    def __init__(self, site: FakeSite, folder: Path) -> None:
        (site.root / "wrong_jsonfile.py").write_text(WRONG)
        self._site, self._folder = site, folder

    def run(self, fact: str, name: str) -> None:
        target = {name.lower(): f"wrong_jsonfile:{name}"}
        hook = "from ltq_core import hookimpl\n\n@hookimpl\ndef ltq_register_brokers():\n"
        self._site.add("ltq-wrong", {"wrong": f"{hook}    return {target}\n"})
        url = f"{name.lower()}://{self._folder}/queue.json?lease=0.5"

        async def make() -> Broker:
            broker: Broker = getattr(import_module("wrong_jsonfile"), name)(url)
            return broker

        class Hurried(ProcessConformance):
            lease, patience = 0.5, 2.0
            _url = url

        getattr(Hurried(), fact)(make)


@pytest.fixture
def check(guide_broker: FakeSite, tmp_path_factory: pytest.TempPathFactory) -> Check:
    return Check(guide_broker, tmp_path_factory.mktemp("store"))


@pytest.mark.parametrize("name", CAUGHT_BY)
def test_wrong_broker_is_caught(name: str, check: Check) -> None:
    """The fact that names the fault fails."""
    with pytest.raises(AssertionError):
        check.run(CAUGHT_BY[name], name)


@pytest.mark.parametrize("fact", sorted({*CAUGHT_BY.values()} - {CAUGHT_BY["AcksThenBuries"]}))
def test_sound_broker_is_not(fact: str, check: Check) -> None:
    """It is the fault that is caught, not the way in which these tests run."""
    check.run(fact, "Sound")
