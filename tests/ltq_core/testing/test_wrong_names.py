"""Brokers that mistake one queue for another by its name: each fault is caught."""

from __future__ import annotations

import re
import unicodedata
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import unquote_plus

import pytest

from ltq_core.testing import BrokerConformance
from ltq_memory.broker import MemoryBroker

if TYPE_CHECKING:
    from collections.abc import Callable

    from ltq_core.message import Message


class Wrong(MemoryBroker):
    """One fault, and the fact that must fail with it."""

    caught_by: ClassVar[str]


class Renames(Wrong):
    """It stores a queue under another name."""

    caught_by = "test_similar_names_are_different_queues"

    def stored(self, name: str) -> str:
        raise NotImplementedError

    async def publish(self, message: Message, delay: float = 0) -> None:
        message.task_name = self.stored(message.task_name)
        await super().publish(message, delay)

    async def consume(self, queue: str) -> Message:
        return await super().consume(self.stored(queue))

    async def size(self, queue: str) -> int:
        return await super().size(self.stored(queue))


class FoldsCase(Renames):
    def stored(self, name: str) -> str:
        return name.lower()


class CutsLongNames(Renames):
    def stored(self, name: str) -> str:
        return name[:128]


class CutsWhatItsColumnDoesNotHold(Renames):
    def stored(self, name: str) -> str:
        return name[:255]


class Unescapes(Renames):
    """It builds a URL, or a file's name, and reads it back as something else."""

    def stored(self, name: str) -> str:
        return unquote_plus(name)


class TakesBackslashesForSlashes(Renames):
    def stored(self, name: str) -> str:
        return name.replace("\\", "/")


class ReplacesSigns(Renames):
    def stored(self, name: str) -> str:
        return re.sub(r"[^\w]", "_", name)


class DropsAccents(Renames):
    def stored(self, name: str) -> str:
        return name.replace("é", "e")


class NormalizesNames(Renames):
    def stored(self, name: str) -> str:
        return unicodedata.normalize("NFC", name)


class TrimsSpaces(Renames):
    def stored(self, name: str) -> str:
        return name.strip()


class KnowsItsFirstColonOnly(Renames):
    def stored(self, name: str) -> str:
        return ":".join(name.split(":")[:2])


class Matches(Wrong):
    """Its clear reaches all queues that match a name."""

    caught_by = "test_clear_leaves_similar_names"

    def reaches(self, cleared: str, name: str) -> bool:
        raise NotImplementedError

    async def clear(self, queue: str) -> None:
        for name in await self.queues():
            if self.reaches(queue, name):
                await super().clear(name)


class ClearsByPrefix(Matches):
    def reaches(self, cleared: str, name: str) -> bool:
        return name.startswith(cleared)


class ClearsByGlob(Matches):
    def reaches(self, cleared: str, name: str) -> bool:
        return fnmatchcase(name, cleared)


class ClearsByLike(Matches):
    def reaches(self, cleared: str, name: str) -> bool:
        pattern = re.escape(cleared).replace("%", ".*").replace("_", ".")
        return re.fullmatch(pattern, name) is not None


class ClearsWithoutCase(Matches):
    def reaches(self, cleared: str, name: str) -> bool:
        return name.casefold() == cleared.casefold()


class CountsByPrefix(Wrong):
    caught_by = "test_similar_names_are_different_queues"

    async def size(self, queue: str) -> int:
        names = [name for name in await self.queues() if name.startswith(queue)]
        return sum([await super(CountsByPrefix, self).size(name) for name in names])


WRONG = [*Renames.__subclasses__(), *Matches.__subclasses__(), CountsByPrefix]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_wrong_broker_is_caught(wrong: type[Wrong], assert_caught: Callable[..., None]) -> None:
    """The fact that names the fault fails."""
    assert_caught(BrokerConformance, wrong)
