"""`Tracing`: a span for each send and each run, of one trace."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry import context, propagate, trace
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from ltq_core import DeferError, Middleware, RejectError, RetryError, describe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from opentelemetry.trace import Span, TracerProvider

    from ltq_core import Message, Task

CARRIER = "otel"
"""Where in ``message.ctx`` the context travels: a dict, as the propagators fill it."""


class Tracing(Middleware):
    """Spans by OpenTelemetry's semantic conventions for messaging.

    A send is a ``PRODUCER`` span. Its context, and the baggage, travel in
    ``message.ctx`` through every retry; each run is a ``CONSUMER`` span below it, and
    linked to it. Arguments are never recorded.

    Args:
        tracer_provider: Makes the spans; the global one by default.
    """

    def __init__(self, tracer_provider: TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer("ltq_otel", tracer_provider=tracer_provider)

    @asynccontextmanager
    async def sending(self, message: Message, task: Task[Any, Any]) -> AsyncIterator[None]:
        """Let the context of this send travel with the message."""
        with self._span("send", SpanKind.PRODUCER, message) as span:
            carrier: dict[str, str] = {}
            propagate.inject(carrier)
            if carrier:
                message.ctx[CARRIER] = carrier
            try:
                yield
            except Exception as error:
                _fail(span, error)
                raise

    @asynccontextmanager
    async def __call__(self, message: Message, task: Task[Any, Any]) -> AsyncIterator[None]:
        """Continue the trace of the send, and note how the run ends."""
        with (
            _sent_in(message) as links,
            self._span("process", SpanKind.CONSUMER, message, links) as span,
        ):
            span.set_attribute("ltq.tries", message.ctx.get("tries", 0))
            try:
                yield
            except BaseException as error:
                _note(span, error)
                raise
            span.set_attribute("ltq.outcome", "done")

    @contextmanager
    def _span(
        self, operation: str, kind: SpanKind, message: Message, links: tuple[Link, ...] = ()
    ) -> Iterator[Span]:
        with self._tracer.start_as_current_span(
            f"{operation} {message.task_name}",
            kind=kind,
            links=links,
            attributes={
                "messaging.system": "ltq",
                "messaging.operation.name": operation,
                "messaging.operation.type": operation,
                "messaging.destination.name": message.task_name,
                "messaging.message.id": message.id,
            },
            record_exception=False,  # a decision about the message is no failure
            set_status_on_exception=False,
        ) as span:
            yield span


@contextmanager
def _sent_in(message: Message) -> Iterator[tuple[Link, ...]]:
    """Work in the context that *message* was sent in; links to its span."""
    carrier = message.ctx.get(CARRIER)
    # It comes from a store that others write to: a broken one is as good as none.
    fields = carrier if isinstance(carrier, dict) else {}
    sent = propagate.extract({k: v for k, v in fields.items() if isinstance(v, str)})
    sender = trace.get_current_span(sent).get_span_context()
    token = context.attach(sent)
    try:
        yield (Link(sender),) if sender.is_valid else ()
    finally:
        context.detach(token)


def _note(span: Span, error: BaseException) -> None:
    """Say what becomes of the message; only what the task did not mean is a failure."""
    if isinstance(error, DeferError):
        span.set_attribute("ltq.outcome", "deferred")
    elif isinstance(error, RetryError):
        span.set_attribute("ltq.outcome", "retried")
        if error.__cause__ is not None:
            _fail(span, error.__cause__)
    elif isinstance(error, RejectError):
        span.set_attribute("ltq.outcome", error.kind)
        _fail(span, error.__cause__ or error)
    elif isinstance(error, asyncio.CancelledError):
        span.set_attribute("ltq.outcome", "given_back")
    else:
        span.set_attribute("ltq.outcome", "failed")
        _fail(span, error)


def _fail(span: Span, error: BaseException) -> None:
    kind = type(error)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    span.set_attribute("error.type", module + kind.__qualname__)
    span.record_exception(error)
    span.set_status(Status(StatusCode.ERROR, describe(error)))
