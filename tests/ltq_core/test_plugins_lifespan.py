"""What accompanies a worker, and what a plugin's fault does to it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ltq_core import plugins
from ltq_core.errors import PluginError
from ltq_core.plugins import lifespan

if TYPE_CHECKING:
    from collections.abc import Callable

    from fake_site import FakeSite
    from ltq_core.worker import Worker

ACCOMPANYING = """
from contextlib import asynccontextmanager
from ltq_core import hookimpl

@hookimpl
@asynccontextmanager
async def ltq_worker_lifespan(worker):
    worker.log.append("{name} enters")
    yield
    worker.log.append("{name} leaves")
"""

FAILING = """
from ltq_core import hookimpl

@hookimpl
def ltq_worker_lifespan(worker):
    {body}
"""


def a_worker() -> tuple[Worker, list[str]]:
    log: list[str] = []
    return cast("Any", SimpleNamespace(log=log)), log


async def live(worker: Worker, work: Callable[[], object] = lambda: None) -> None:
    async with AsyncExitStack() as stack:
        for context in plugins.worker_lifespans(worker):
            await stack.enter_async_context(context)
        work()


def test_contexts_come_in_the_order_of_the_plugins_names(site: FakeSite) -> None:
    site.add("ltq-a", {"second": ACCOMPANYING.format(name="second")})
    site.add("ltq-b", {"first": ACCOMPANYING.format(name="first")})
    site.use()
    worker, log = a_worker()

    asyncio.run(live(worker))

    assert log == ["first enters", "second enters", "second leaves", "first leaves"]


def test_hook_may_answer_none(site: FakeSite) -> None:
    site.add("ltq-quiet", {"quiet": FAILING.format(body="return None")})
    site.use()

    assert plugins.worker_lifespans(a_worker()[0]) == []


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("raise OSError('no port')", "its ltq_worker_lifespan raised OSError: no port"),
        ("return 3", "its ltq_worker_lifespan answered an int, not an async context manager"),
    ],
)
def test_plugin_whose_hook_fails_is_taken_out_with_a_warning(
    site: FakeSite, caplog: pytest.LogCaptureFixture, body: str, fault: str
) -> None:
    site.add("ltq-bad", {"bad": FAILING.format(body=body)})
    site.add("ltq-good", {"good": ACCOMPANYING.format(name="good")})
    site.use()

    with caplog.at_level(logging.WARNING, "ltq.plugins"):
        contexts = plugins.worker_lifespans(a_worker()[0])

    assert len(contexts) == 1
    assert [one.state for one in plugins.installed()] == ["broken", "ok"]
    assert f"could not be loaded: {fault}. Update it" in caplog.text


RAISING = """
from contextlib import AbstractAsyncContextManager
from ltq_core import hookimpl

class Context(AbstractAsyncContextManager):
    async def __aenter__(self):
        {entered}
    async def __aexit__(self, kind, error, trace):
        {left}
        return True

@hookimpl
def ltq_worker_lifespan(worker):
    return Context()
"""


def raising(moment: str = "", fault: str = "") -> str:
    """A plugin whose context does *fault* at this *moment*, and hides errors."""
    return RAISING.format(**{"entered": "pass", "left": "pass"} | {moment: fault})


@pytest.mark.parametrize("moment", ["entered", "left"])
def test_context_that_fails_names_its_plugin_and_leaves_the_worker_alone(
    site: FakeSite, caplog: pytest.LogCaptureFixture, moment: str
) -> None:
    site.add("ltq-bad", {"bad": raising(moment, "raise OSError('no port')")})
    site.add("ltq-good", {"good": ACCOMPANYING.format(name="good")})
    site.use()
    worker, log = a_worker()

    with caplog.at_level(logging.WARNING, "ltq.plugins"):
        asyncio.run(live(worker))

    assert log == ["good enters", "good leaves"]
    assert "\n".join(caplog.messages) == (
        "Plugin 'bad' from ltq-bad 1.0 failed: its ltq_worker_lifespan raised OSError: no "
        f"port when it was {moment}. Update it, or set LTQ_DISABLE_PLUGINS=bad."
    )


@pytest.mark.parametrize("moment", ["entered", "left"])
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("import asyncio; raise asyncio.CancelledError", "CancelledError"),
        ("raise type('Odd', (BaseException,), {})", "Odd"),
    ],
)
def test_context_that_fails_oddly_is_blamed_all_the_same(
    site: FakeSite, caplog: pytest.LogCaptureFixture, moment: str, fault: str, said: str
) -> None:
    site.add("ltq-bad", {"bad": raising(moment, fault)})
    site.use()

    asyncio.run(live(a_worker()[0]))

    assert f"its ltq_worker_lifespan raised {said} when it was {moment}." in caplog.text


def test_worker_that_is_cancelled_as_a_context_is_entered_stays_cancelled(
    site: FakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    fault = "import asyncio; asyncio.current_task().cancel(); await asyncio.sleep(0)"
    site.add("ltq-calm", {"calm": raising("entered", fault)})
    site.use()

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(live(a_worker()[0]))

    assert caplog.messages == []


@pytest.mark.parametrize("moment", ["entered", "left"])
def test_context_that_keeps_the_worker_waiting_is_named(
    site: FakeSite,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    monkeypatch.setattr(lifespan, "SLOW", 0)
    turns = "import asyncio; [await asyncio.sleep(0) for _ in range(3)]"
    site.add("ltq-slow", {"slow": raising(moment, turns)})
    site.use()

    asyncio.run(live(a_worker()[0]))

    assert "\n".join(caplog.messages) == (
        "The worker waits for plugin 'slow' from ltq-slow 1.0, whose ltq_worker_lifespan is "
        f"still being {moment} after 0 s."
    )


def test_context_that_fails_is_an_error_where_plugins_are_strict(site: FakeSite) -> None:
    site.add("ltq-bad", {"bad": raising("entered", "exit(3)")})
    site.use(strict=True)

    with pytest.raises(PluginError, match="'bad' from ltq-bad 1.0 failed: .* SystemExit: 3"):
        asyncio.run(live(a_worker()[0]))


@pytest.mark.parametrize("plugin", [ACCOMPANYING, raising()])
def test_failure_of_the_worker_is_neither_the_plugins_nor_hidden_by_it(
    site: FakeSite, caplog: pytest.LogCaptureFixture, plugin: str
) -> None:
    site.add("ltq-calm", {"calm": plugin})
    site.use()

    with pytest.raises(ZeroDivisionError):
        asyncio.run(live(a_worker()[0], work=lambda: 1 / 0))

    assert caplog.messages == []


def test_hook_that_fails_is_an_error_where_plugins_are_strict(site: FakeSite) -> None:
    site.add("ltq-bad", {"bad": FAILING.format(body="raise OSError('no port')")})
    site.use(strict=True)

    with pytest.raises(PluginError, match="no port"):
        plugins.worker_lifespans(a_worker()[0])
