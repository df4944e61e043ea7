from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from libs.telemetry import current_traceparent, new_traceparent, span, traces, use_traceparent

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    memory = InMemorySpanExporter()
    traces.start_recording("agent", "agent-1", memory)
    yield memory
    traces.stop_recording()


def test_without_a_collector_the_context_still_flows() -> None:
    assert not traces.is_recording()
    with use_traceparent(TRACEPARENT), span("work", rows=3) as running:
        running.set(more=1)
        assert current_traceparent() == TRACEPARENT
    assert current_traceparent() == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        TRACEPARENT.upper(),
        TRACEPARENT + "\n",
    ],
)
def test_a_malformed_context_begins_a_new_trace(text: str) -> None:
    with use_traceparent(text) as used:
        assert used != text
        assert traces.valid_traceparent(used)


def test_new_contexts_differ() -> None:
    assert new_traceparent() != new_traceparent()
    assert traces.valid_traceparent(new_traceparent())


def test_spans_form_one_tree_across_processes(exporter: InMemorySpanExporter) -> None:
    with use_traceparent(TRACEPARENT), span("outer", kind="server", method="GET"):
        handed_on = current_traceparent()
    with use_traceparent(handed_on), span("inner", kind="client"):
        pass
    traces.stop_recording()
    outer, inner = exporter.get_finished_spans()
    assert outer.parent is not None
    assert inner.parent is not None
    assert f"{outer.parent.span_id:016x}" == "b7ad6b7169203331"
    assert f"{outer.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert inner.parent.span_id == outer.context.span_id
    assert (outer.kind, inner.kind) == (SpanKind.SERVER, SpanKind.CLIENT)
    assert dict(outer.attributes or {}) == {"method": "GET"}
    assert outer.resource.attributes["service.name"] == "agent"


def test_an_error_marks_its_span_by_type_only(exporter: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="canary"), span("work"):
        raise ValueError("canary")
    traces.stop_recording()
    (finished,) = exporter.get_finished_spans()
    assert finished.status.status_code is StatusCode.ERROR
    assert finished.status.description == "ValueError"
    assert "canary" not in finished.to_json()


class StuckExporter(SpanExporter):
    """A collector that never takes anything."""

    def __init__(self) -> None:
        self.given = 0

    def export(self, spans: object) -> SpanExportResult:
        self.given += len(spans)  # type: ignore[arg-type]
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        return None


def test_a_full_queue_drops_spans_and_blocks_no_one() -> None:
    stuck = StuckExporter()
    traces.start_recording("agent", "agent-1", stuck)
    for _ in range(5_000):
        with span("work"):
            pass
    traces.stop_recording()
    assert stuck.given <= 5_000
