"""``ltq dead``: list, show, requeue and delete."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING

import pytest

from command_line import Ended, ltq
from fake_site import FakeSite, offering
from ltq_core.dead_letter import DeadLetter
from ltq_core.message import Message
from ltq_memory.broker import MemoryBroker
from together import PLUGIN

if TYPE_CHECKING:
    from pathlib import Path

QUEUE = "github:fetch"


class Store:
    """A broker's dead letters, seen by a worker and by the command line."""

    def __init__(self, name: str) -> None:
        self.url = f"together://{name}"
        self.broker = MemoryBroker(f"memory://{name}")

    def bury(self, id_: str, reason: str = "failed", **fields: object) -> None:
        """Let the message *id_* die."""
        asyncio.run(self._bury(Message(("python",), {}, QUEUE, id=id_), reason, fields))

    async def _bury(self, message: Message, reason: str, fields: dict[str, object]) -> None:
        await self.broker.publish(message)
        claimed = await self.broker.consume(QUEUE)
        letter = DeadLetter(
            id=message.id,
            queue=QUEUE,
            reason=reason,
            died_at=1_800_000_000.0,
            message=claimed,
            error_type="ValueError",
            error="not that one",
            traceback="Traceback …\n  line one\nValueError: not that one",
            tries=3,
            worker="github",
            host="here",
        )
        for name, value in fields.items():
            setattr(letter, name, value)
        await self.broker.bury(claimed, letter)
        await self.broker.close()

    def ids(self) -> list[str]:
        """The dead letters that are left, the oldest first."""
        return [letter.id for letter in asyncio.run(self.broker.dead_letters(QUEUE))][::-1]

    def dead(self, command: str, *args: str) -> Ended:
        """Run ``ltq dead``."""
        return ltq("dead", command, QUEUE, *args, "--broker-url", self.url)


@pytest.fixture
def store(site: FakeSite, tmp_path: Path) -> Store:
    """A store with the dead letters one, two and three."""
    site.add("ltq-together", {"together": PLUGIN})
    site.use()
    store = Store(tmp_path.name)
    store.bury("one")
    store.bury("two", "rejected")
    store.bury("three")
    return store


def test_list_has_a_line_for_each_letter_the_newest_first(store: Store) -> None:
    lines = store.dead("list").out.splitlines()

    assert lines[0].split() == ["ID", "DIED", "REASON", "TRIES", "ERROR"]
    assert [line.split()[0] for line in lines[1:]] == ["three", "two", "one"]
    assert lines[3].split(maxsplit=6) == [
        *("one", "2027-01-15", "08:00:00", "UTC", "failed", "3", "ValueError: not that one")
    ]


@pytest.mark.parametrize("command", ["list", "show"])
def test_list_of_nothing_says_so_beside_the_data(store: Store, command: str) -> None:
    assert ltq("dead", command, "other", "--all", "--broker-url", store.url) == (
        0,
        "",
        "No dead letters.\n",
    )


def test_json_of_nothing_is_an_empty_list(store: Store) -> None:
    assert ltq("dead", "list", "other", "--json", "--broker-url", store.url).out == "[]\n"


def test_json_moves_no_cursor(store: Store) -> None:
    store.bury("odd", error="\x1b[2J \x9b31m \u202e é")

    ended = store.dead("list", "--json")

    assert [c for c in ended.out.replace("\n", "") if not c.isprintable()] == []
    assert json.loads(ended.out)[0]["error"] == "\x1b[2J \x9b31m \u202e é"


def test_json_holds_the_whole_letters(store: Store) -> None:
    letters = json.loads(store.dead("list", "--json").out)

    assert [letter["id"] for letter in letters] == ["three", "two", "one"]
    assert letters[0]["message"]["args"] == ["python"]
    assert letters[0]["traceback"].endswith("ValueError: not that one")


def test_reason_selects(store: Store) -> None:
    letters = json.loads(store.dead("list", "--json", "--reason", "rejected").out)

    assert [letter["id"] for letter in letters] == ["two"]


@pytest.mark.parametrize("command", ["list", "show", "requeue", "delete"])
def test_reason_that_does_not_exist_is_answered_with_those_that_do(
    store: Store, command: str
) -> None:
    ended = store.dead(command, "--reason", "tired")

    assert ended.code == 2
    assert ended.err.startswith(
        f"Error: {QUEUE} has no dead letter of the reason 'tired', which is none of: "
        "rejected, failed, tries_exhausted,"
    )


def test_reason_without_a_letter_is_an_empty_list(store: Store) -> None:
    assert store.dead("list", "--reason", "crashed") == (0, "", "No dead letters.\n")


def test_reason_of_a_newer_version_is_shown_as_it_is_and_selects(store: Store) -> None:
    store.bury("new", "superseded")

    assert store.dead("list").out.splitlines()[1].split()[4] == "superseded"
    assert len(store.dead("list").out.splitlines()) == 5
    assert "reason:     superseded\n" in store.dead("show", "new").out
    assert store.dead("requeue", "--reason", "superseded").out == f"{QUEUE}: 1 requeued\n"
    assert store.ids() == ["one", "two", "three"]


def test_time_that_no_calendar_holds_is_shown_as_a_number(store: Store) -> None:
    store.bury("late", died_at=1e300)

    assert store.dead("list").out.splitlines()[1].split()[:2] == ["late", "1e+300"]


def test_show_prints_arguments_and_traceback(store: Store) -> None:
    ended = store.dead("show", "two")

    assert ended.code == 0
    assert "id:         two\n" in ended.out
    assert "reason:     rejected\n" in ended.out
    assert 'arguments:  [["python"], {}]\n' in ended.out
    assert "\n  line one\n" in ended.out


def test_show_lets_nothing_reach_the_terminal_unescaped(store: Store) -> None:
    texts = ("id", "reason", "error_type", "error", "traceback", "worker", "host")
    # No colour, which click takes out by itself where nobody looks.
    store.bury("evil", **dict.fromkeys(texts, "\x07"))

    listed, shown = (store.dead(command, "--all").out for command in ("list", "show"))
    assert "\x07" not in listed + shown
    assert (listed.count(r"\x07"), shown.count(r"\x07")) == (4, len(texts))


def test_show_prints_the_bytes_of_what_could_not_be_decoded(store: Store) -> None:
    store.bury("odd", "undecodable", message=None, body="not json")

    assert "bytes:      not json\n" in store.dead("show", "odd").out


def test_requeue_puts_the_named_ones_back(store: Store) -> None:
    assert store.dead("requeue", "one", "three") == (0, f"{QUEUE}: 2 requeued\n", "")

    assert store.ids() == ["two"]
    assert asyncio.run(store.broker.size(QUEUE)) == 2


def test_requeue_of_all_leaves_those_without_a_message(store: Store) -> None:
    store.bury("odd", "undecodable", message=None)

    ended = store.dead("requeue", "--all")

    assert ended.out == f"{QUEUE}: 3 requeued\n"
    assert ended.err == "1 could never be decoded and stay dead letters. See: ltq dead show.\n"
    assert store.ids() == ["odd"]


def test_delete_of_a_reason_forgets_its_letters_alone(store: Store) -> None:
    ended = store.dead("delete", "--reason", "failed", "--json")

    assert json.loads(ended.out) == {"queue": QUEUE, "deleted": 2}
    assert store.ids() == ["two"]


@pytest.mark.parametrize("command", ["list", "show", "requeue", "delete"])
def test_id_that_is_not_there_is_named_and_the_others_are_done(
    store: Store, command: str
) -> None:
    ended = store.dead(command, "one", "four")

    assert ended.code == 1
    assert ended.err == f"Error: {QUEUE} has no dead letter four. See: ltq dead list {QUEUE}.\n"
    assert ended.out


@pytest.mark.parametrize("command", ["list", "show"])
def test_list_of_ids_that_are_not_there_does_not_say_that_nothing_is(
    store: Store, command: str
) -> None:
    assert store.dead(command, "four", "five") == (
        1,
        "",
        f"Error: {QUEUE} has no dead letter four, five. See: ltq dead list {QUEUE}.\n",
    )


@pytest.mark.parametrize("command", ["show", "requeue", "delete"])
@pytest.mark.parametrize("selection", [(), ("one", "--all"), ("one", "--reason", "failed")])
def test_selection_must_be_one_of_ids_and_rules(
    store: Store, command: str, selection: tuple[str, ...]
) -> None:
    ended = store.dead(command, *selection)

    assert ended.code == 2
    assert "Give either the IDs of messages, or --all, or a --reason." in ended.err
    assert store.ids() == ["one", "two", "three"]


def test_letters_are_moved_in_batches(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ltq_core.cli.letters._BATCH", 2)

    assert store.dead("delete", "--all").out == f"{QUEUE}: 3 deleted\n"
    assert store.ids() == []


def test_broker_without_dead_letters_is_answered_with_those_that_keep_them(
    store: Store, site: FakeSite
) -> None:
    site.add("ltq-plain", {"plain": offering("plain", target="together:PlainBroker")})
    site.use()

    ended = ltq("dead", "list", QUEUE, "--broker-url", "plain://")

    assert ended.code == 2
    assert ended.err == (
        "Error: PlainBroker keeps no dead letters. Use a broker that does (installed: "
        "together).\n"
    )


def test_help_begins_with_what_does_no_harm() -> None:
    ended = ltq("dead", "--help")

    commands = re.findall(r"^  (\w+)  +\S", ended.out.partition("Commands:")[2], re.MULTILINE)
    assert commands == ["list", "show", "requeue", "delete"]
    assert "..." not in ended.out.partition("Commands:")[2]
