"""What LTQ finds of this package once it is installed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ltq_core import installed
from ltq_otel.plugin import is_set_up

if TYPE_CHECKING:
    import pytest

STACK = "import ltq; print([type(m).__name__ for m in ltq.Worker('mail').middlewares])"
README = Path(__file__).parents[1] / "README.md"


def run(program: str) -> str:
    """What *program* prints, in a process of its own: the provider is set only once."""
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_plugin_is_found_and_sound() -> None:
    (found,) = [plugin for plugin in installed() if plugin.distribution == "ltq-otel"]

    assert (found.name, found.state, found.error) == ("otel", "ok", None)


def test_plugin_is_found_without_importing_opentelemetry() -> None:
    program = "import sys, ltq_otel.plugin; print('opentelemetry' in sys.modules)"

    assert run(program) == "False\n"


def test_tracing_is_outermost_where_a_provider_is_set_up() -> None:
    found = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert found is not None
    assert run(found[1] + STACK).startswith("['Tracing', 'MaxTries'")


def test_tracing_stays_out_where_no_provider_is_set_up() -> None:
    assert "Tracing" not in run(STACK)
    assert "Tracing" not in run("from opentelemetry import trace\n" + STACK)


def test_provider_of_the_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PYTHON_TRACER_PROVIDER", "sdk_tracer_provider")

    assert is_set_up()
