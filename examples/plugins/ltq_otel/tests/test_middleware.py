"""LTQ's conformance kit on `Tracing`, and the spans that it makes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import ltq
from ltq_core.testing import MiddlewareConformance
from ltq_otel import Tracing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.sdk.trace import ReadableSpan


class Spans:
    """A provider, and what it was told."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if span.name == name]


class TestConformance(MiddlewareConformance):
    """Every promise of the contract is a test."""

    @pytest.fixture
    def make_middleware(self) -> Callable[[], Tracing]:
        return lambda: Tracing(Spans().provider)


class TestConformanceWithoutProvider(MiddlewareConformance):
    """Nothing breaks where no provider is set up."""

    @pytest.fixture
    def make_middleware(self) -> type[Tracing]:
        return Tracing


def mail(spans: Spans, url: str = "memory://otel") -> ltq.Worker:
    stack = [Tracing(spans.provider), ltq.MaxTries()]
    return ltq.Worker("mail", broker_url=url, middlewares=stack)


def attributes(span: ReadableSpan) -> Mapping[str, Any]:
    assert span.attributes is not None
    return span.attributes


def run(worker: ltq.Worker, task: ltq.Task[[], None]) -> str:
    """Send one message of *task*, and run the worker until the task stops it."""

    async def send_and_run() -> str:
        sent = await task.send()
        await worker.run(shutdown_timeout=1)
        return sent

    return asyncio.run(send_and_run())


def test_send_and_run_are_two_spans_of_one_trace() -> None:
    spans = Spans()
    worker = mail(spans)

    @worker.task
    async def deliver() -> None:
        worker.stop()

    sent_id = run(worker, deliver)
    name = deliver.name
    [send], [process] = spans.named(f"send {name}"), spans.named(f"process {name}")

    assert (send.kind, process.kind) == (SpanKind.PRODUCER, SpanKind.CONSUMER)
    assert process.parent is not None
    assert process.parent.span_id == send.context.span_id
    assert [link.context.span_id for link in process.links] == [send.context.span_id]
    assert dict(attributes(send)) == {
        "messaging.system": "ltq",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": name,
        "messaging.message.id": sent_id,
    }
    assert dict(attributes(process)) == {
        "messaging.system": "ltq",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": name,
        "messaging.message.id": sent_id,
        "ltq.tries": 0,
        "ltq.outcome": "done",
    }


def test_send_from_a_run_continues_its_trace() -> None:
    spans = Spans()
    worker = mail(spans)

    @worker.task
    async def last() -> None:
        worker.stop()

    @worker.task
    async def first() -> None:
        await last.send()

    run(worker, first)
    [outer], [inner] = spans.named(f"process {first.name}"), spans.named(f"send {last.name}")

    assert inner.parent is not None
    assert inner.parent.span_id == outer.context.span_id


def test_baggage_travels_with_the_message() -> None:
    spans, seen = Spans(), []
    worker = mail(spans)

    @worker.task
    async def deliver() -> None:
        seen.append(baggage.get_baggage("tenant"))
        worker.stop()

    token = context.attach(baggage.set_baggage("tenant", "acme"))
    run(worker, deliver)
    context.detach(token)

    assert seen == ["acme"]


def test_every_try_is_a_span_below_the_send() -> None:
    spans = Spans()
    worker = mail(spans)

    @worker.task(max_tries=2, backoff=0)
    async def deliver() -> None:
        if ltq.current_message().attempt == 2:
            worker.stop()
        raise ValueError("no such address")

    run(worker, deliver)
    [send] = spans.named(f"send {deliver.name}")
    tries = spans.named(f"process {deliver.name}")

    assert {one.parent.span_id for one in tries if one.parent} == {send.context.span_id}
    assert [attributes(one)["ltq.outcome"] for one in tries] == ["retried", "tries_exhausted"]
    assert [attributes(one)["error.type"] for one in tries] == ["ValueError"] * 2


@pytest.mark.parametrize(
    ("error", "outcome", "error_type"),
    [
        (ValueError("odd"), "failed", "ValueError"),
        (ltq.RejectError("odd"), "rejected", "ltq_core.errors.RejectError"),
        (ltq.RetryError(3600), "retried", None),
        (ltq.DeferError(3600), "deferred", None),
        (asyncio.CancelledError(), "given_back", None),
    ],
)
def test_outcome_tells_failures_from_decisions(
    error: BaseException, outcome: str, error_type: str | None
) -> None:
    spans = Spans()

    async def run_once() -> None:
        async with Tracing(spans.provider)(ltq.Message(task_name="mail:deliver"), anything()):
            raise error

    with pytest.raises(type(error)):
        asyncio.run(run_once())
    [span] = spans.named("process mail:deliver")

    assert attributes(span)["ltq.outcome"] == outcome
    assert attributes(span).get("error.type") == error_type
    expected = StatusCode.UNSET if error_type is None else StatusCode.ERROR
    assert span.status.status_code is expected
    assert len(span.events) == (error_type is not None)


def test_send_that_fails_is_marked() -> None:
    spans = Spans()

    async def send() -> None:
        async with Tracing(spans.provider).sending(ltq.Message(task_name="m:d"), anything()):
            raise ConnectionError("away")

    with pytest.raises(ConnectionError):
        asyncio.run(send())
    [span] = spans.named("send m:d")

    assert span.status.status_code is StatusCode.ERROR
    assert attributes(span)["error.type"] == "ConnectionError"


@pytest.mark.parametrize(
    "carrier", [None, 3, "text", [], {"traceparent": 3}, {"traceparent": "00-odd"}, {"a": {}}]
)
def test_broken_context_begins_a_new_trace(carrier: object) -> None:
    spans = Spans()
    message = ltq.Message(task_name="mail:deliver", ctx={"otel": carrier})

    async def run_once() -> None:
        async with Tracing(spans.provider)(message, anything()):
            assert trace.get_current_span().get_span_context().is_valid

    asyncio.run(run_once())
    [span] = spans.named("process mail:deliver")

    assert (span.parent, list(span.links)) == (None, [])


def anything() -> Any:
    """A task, which `Tracing` does not look at."""
