"""The names of the keys: part of what is promised, since people look into Redis."""

from __future__ import annotations

from pathlib import Path

import pytest

from ltq_core import ConfigurationError
from ltq_redis.keys import QueueKeys


def test_keys_are_plain_by_default() -> None:
    keys = QueueKeys("github:fetch")

    assert keys.queue == "queue:github:fetch"
    assert keys.processing("w1") == "processing:github:fetch:w1"
    assert keys.workers == "ltq:workers:github:fetch"
    assert keys.unique("k") == "ltq:unique:github:fetch:k"


def test_cluster_keys_carry_the_worker_as_their_tag() -> None:
    keys = QueueKeys("github:fetch:deep", tagged=True)

    assert keys.tag == "github"
    assert keys.queue == "queue:{github}:fetch:deep"
    assert keys.processing("w1") == "processing:{github}:fetch:deep:w1"
    assert keys.dead == "ltq:dead:{github}:fetch:deep"
    assert keys.letters == "ltq:letters:{github}:fetch:deep"


def test_prefix_stands_before_every_key() -> None:
    keys = QueueKeys("a:b", prefix="app:")
    names = [value for name, value in vars(keys).items() if name not in ("tag", "written")]

    assert len(names) > 10
    assert all(name.startswith("app:") for name in names)


@pytest.mark.parametrize("queue", ["a:{b}", "{a}:b", "a}:b", "a:b\n", "a\0:b", "a:\x1b[2J"])
def test_braces_and_controls_are_refused(queue: str) -> None:
    with pytest.raises(ConfigurationError, match="no braces or controls"):
        QueueKeys(queue)


def test_documentation_names_every_key() -> None:
    page = (Path(__file__).parents[2] / "docs" / "redis.md").read_text()
    keys = QueueKeys("T")
    names = {value for value in vars(keys).values() if ":" in value}
    names |= {keys.processing("W"), keys.unique("KEY")}

    assert {name for name in names if f"| `{name}` |" not in page} == set()
