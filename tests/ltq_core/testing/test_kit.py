"""The kit as its user meets it: a class with one fixture, run by plain pytest."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import ltq_core.testing
from ltq_core.testing import BrokerConformance

if TYPE_CHECKING:
    from pathlib import Path

USERS_FILE = """
import pytest
from ltq_core.testing import BrokerConformance
from ltq_memory.broker import MemoryBroker

class ForgetfulBroker(MemoryBroker):
    async def nack(self, message, delay=0, drop=False):
        message.ctx.pop("tries", None)
        await super().nack(message, delay, drop)

class TestForgetfulBroker(BrokerConformance):
    @pytest.fixture
    def make_broker(self):
        async def make():
            return ForgetfulBroker("memory://users")
        return make
"""


def pytest_on(folder: Path, *options: str) -> str:
    """What pytest prints for the user's file."""
    (folder / "test_broker.py").write_text(USERS_FILE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout


def test_failure_shows_the_fact_and_its_values(tmp_path: Path) -> None:
    """A failed fact shows its sentence, its own lines and the values, not the event loop."""
    output = pytest_on(tmp_path, "-k", "test_nack_stores_the_message_as_it_is_now")

    assert "comes back once, with the ``ctx`` that its run left" in output
    assert "assert None == 1" in output
    assert "asyncio/runners.py" not in output


def facts() -> list[tuple[str, str]]:
    """The name and the sentence of every fact, in all classes that make up the whole."""
    tests = [each for base in BrokerConformance.__mro__ for each in vars(base).items()]
    return [(name, test.__doc__) for name, test in tests if name.startswith("test_")]


def test_facts_have_names_of_their_own() -> None:
    """No fact hides another one of its name."""
    names = [name for name, _ in facts()]

    assert len(names) > 80
    assert len(set(names)) == len(names)


def test_every_fact_is_a_sentence() -> None:
    """Each fact says what it proves."""
    assert [name for name, sentence in facts() if not sentence.endswith(".")] == []


def test_importing_one_tool_imports_no_other() -> None:
    """What is not used is not imported: neither pytest nor the rest of the kit."""
    code = (
        "import sys; from ltq_core.testing import wait_until; "
        "print([name for name in sys.modules if name == 'pytest' or 'testing.broker' in name])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ltq_core.testing.__all__)
def test_every_public_name_exists(name: str) -> None:
    """All that is announced can be imported."""
    assert getattr(ltq_core.testing, name).__doc__


def test_unknown_name_is_an_attribute_error() -> None:
    """A name that does not exist is told as usual."""
    with pytest.raises(AttributeError, match="no attribute 'BrokerConformence'"):
        _ = ltq_core.testing.BrokerConformence
