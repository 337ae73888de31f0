"""What LTQ finds of this package once it is installed."""

from __future__ import annotations

from ltq_core import installed


def test_plugin_is_found_and_sound() -> None:
    (found,) = [plugin for plugin in installed() if plugin.distribution == "ltq-sqlite"]

    assert (found.name, found.state, found.error) == ("sqlite", "ok", None)
