"""Middleware that fails while a worker is prepared, and how it is named."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from fake_site import FakeSite, SoundBroker, answering
from ltq_core.errors import ConfigurationError, PluginError
from ltq_core.middleware import Middleware, Options
from ltq_core.worker.prepare import Prepared
from ltq_core.worker.stack import compile_stack, senders
from working import make_worker

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from ltq_core.abilities import QueueLimits
    from ltq_core.message import Message
    from ltq_core.task import Task

NAME = f"{__name__}:Faulty"
PLUGIN = "Middleware 'notes' of plugin 'notes' from ltq-notes 1.0 failed: its "
REMEDY = ". Update it, or set LTQ_DISABLE_PLUGINS=notes."


def parse_note(value: Any) -> Any:
    raise fault(value)


def fault(value: object = "") -> BaseException:
    return OSError("no disk at redis://me:secret@here")


class Faulty(Middleware):
    """Raises whatever it is asked."""

    options: ClassVar[Options] = {"note": parse_note}
    error: ClassVar[Callable[[], BaseException]] = fault

    def __call__(
        self, message: Message, task: Task[Any, Any]
    ) -> AbstractAsyncContextManager[None]:
        raise NotImplementedError

    def sending(self, message: Message, task: Task[Any, Any]) -> Any:
        raise NotImplementedError

    def applies(self, task: Task[Any, Any]) -> bool:
        raise type(self).error()

    def limits(self, task: Task[Any, Any]) -> QueueLimits | None:
        raise type(self).error()


def nothing() -> None: ...


def make_task(**options: Any) -> Task[Any, Any]:
    return make_worker(middlewares=[Faulty()]).task(**options)(nothing)


def sends() -> object:
    return senders(make_task(), [Faulty()])


def compiles() -> object:
    return compile_stack(make_task(), [Faulty()], nothing, shared_limits=False)  # type: ignore[arg-type]


def checks() -> object:
    return Prepared([make_task()], [Faulty()]).check(SoundBroker(""))


def declares() -> object:
    return make_task(note="x")


ASKED = [
    (sends, "applies"),
    (compiles, "applies"),
    (checks, "limits"),
    (declares, "parser of note"),
]


@pytest.mark.parametrize(("ask", "part"), ASKED)
def test_middleware_of_a_plugin_is_named_with_it(
    site: FakeSite, ask: Callable[[], object], part: str
) -> None:
    spec = f"[MiddlewareSpec('notes', {NAME!r})]"
    site.add("ltq-notes", {"notes": answering("ltq_register_middleware", spec)})
    site.use()

    with pytest.raises(PluginError) as caught:
        ask()

    assert str(caught.value) == (
        f"{PLUGIN}{part} for task 'test:nothing' raised "
        f"OSError: no disk at redis://me:***@here{REMEDY}"
    )


@pytest.mark.parametrize(("ask", "part"), ASKED)
def test_middleware_of_no_plugin_is_named_by_its_class(
    site: FakeSite, ask: Callable[[], object], part: str
) -> None:
    site.use()

    with pytest.raises(PluginError) as caught:
        ask()

    assert str(caught.value) == (
        f"Middleware '{NAME}' failed: its {part} for task 'test:nothing' raised OSError: no "
        "disk at redis://me:***@here. Mend it, or leave it out of the stack; the log shows its "
        "traceback at level DEBUG."
    )


def test_traceback_is_logged_for_who_asks_for_it(
    site: FakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    site.use()

    with caplog.at_level(logging.DEBUG), pytest.raises(PluginError):
        sends()

    (record,) = caplog.records
    assert record.levelno == logging.DEBUG
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], OSError)


def test_middleware_that_exits_is_named_too(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.use()
    monkeypatch.setattr(Faulty, "error", SystemExit)

    with pytest.raises(PluginError, match="raised SystemExit"):
        sends()


def test_middleware_that_names_a_mistake_of_the_users_speaks_for_itself(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.use()
    monkeypatch.setattr(Faulty, "error", lambda: ConfigurationError("NOTE_PATH is not set."))

    with pytest.raises(ConfigurationError, match=r"^NOTE_PATH is not set\.$"):
        sends()
