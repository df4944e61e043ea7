"""Traces: spans across the gateway, gRPC, SQL and jobs, joined by the W3C traceparent (w3.org/TR/trace-context).

The trace context always flows, so that logs, events and jobs name their trace; spans are recorded by OpenTelemetry only
when a collector is named, through a bounded queue that drops rather than waits. The SDK is imported only then, because
it costs a process 0.2 s of its start.
"""

import random
import re
from contextvars import ContextVar
from typing import Any

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII)
# Spans that wait for the exporter; further ones are dropped.
_QUEUE_SPANS = 2_048
# Spans per export: OpenTelemetry's default.
_BATCH_SPANS = 512
# Milliseconds between exports.
_EXPORT_EVERY_MS = 1_000
# Milliseconds for an export. It bounds what a frozen collector adds to a shutdown.
_EXPORT_TIMEOUT_MS = 2_000

traceparent_var: ContextVar[str] = ContextVar("traceparent", default="")

_tracer: Any = None
_provider: Any = None


def new_traceparent() -> str:
    """A new trace context, for work that no request caused. Its ids must differ, not be hard to guess."""
    return f"00-{random.getrandbits(128):032x}-{random.getrandbits(64):016x}-01"


def valid_traceparent(text: str) -> bool:
    """Whether the text is a version-00 traceparent with non-zero ids."""
    return _TRACEPARENT.fullmatch(text) is not None


def current_traceparent() -> str:
    """The trace context of this task; empty when it has none."""
    return traceparent_var.get()


class use_traceparent:  # noqa: N801 - a context manager, called like the function that it replaces
    """Everything inside belongs to this trace; an empty or malformed text begins a new one. A class, because every
    request enters it and a generator costs three times as much."""

    __slots__ = ("_token", "_traceparent")

    def __init__(self, text: str) -> None:
        self._traceparent = text if text and valid_traceparent(text) else new_traceparent()

    def __enter__(self) -> str:
        self._token = traceparent_var.set(self._traceparent)
        return self._traceparent

    def __exit__(self, *_: object) -> None:
        traceparent_var.reset(self._token)


class NoSpan:
    """What `span` gives while nothing is exported: costs next to nothing."""

    def __enter__(self) -> "NoSpan":
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        return None

    def set(self, **attributes: str | int | float | bool) -> None:
        return None


class RecordedSpan(NoSpan):
    """A span of OpenTelemetry under the current traceparent, and itself the current one while entered."""

    def __init__(self, name: str, kind: str, attributes: dict[str, str | int | float | bool]) -> None:
        self._name = name
        self._kind = kind
        self._attributes = attributes

    def __enter__(self) -> "RecordedSpan":
        from opentelemetry.trace import SpanKind

        self._span = _tracer.start_span(
            self._name,
            context=_parent_context(traceparent_var.get()),
            kind=SpanKind[self._kind.upper()],
            attributes=self._attributes,
        )
        context = self._span.get_span_context()
        traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"
        self._token = traceparent_var.set(traceparent)
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        traceparent_var.reset(self._token)
        if isinstance(kind, type):
            from opentelemetry.trace import Status, StatusCode

            # Only the type: texts of errors may hold what a customer sent.
            self._span.set_status(Status(StatusCode.ERROR, kind.__name__))
        self._span.end()

    def set(self, **attributes: str | int | float | bool) -> None:
        self._span.set_attributes(attributes)


_NO_SPAN = NoSpan()


def span(name: str, *, kind: str = "internal", **attributes: str | int | float | bool) -> NoSpan:
    """A context manager around one piece of work; kind is internal, server, client, producer or consumer. Attributes
    must never hold content of customers."""
    return _NO_SPAN if _tracer is None else RecordedSpan(name, kind, attributes)


def _parent_context(traceparent: str) -> Any:
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None:
        return None
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    trace_id, span_id, flags = match.groups()
    parent = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
    return set_span_in_context(NonRecordingSpan(parent))


def start_export(service: str, instance: str, endpoint: str) -> None:
    """Send spans to an OTLP collector over gRPC, batched, from a thread of its own."""
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    insecure = not endpoint.startswith("https://")
    start_recording(service, instance, OTLPSpanExporter(endpoint=endpoint, insecure=insecure))


def start_recording(service: str, instance: str, exporter: Any) -> None:
    """Record spans and hand them to the exporter in batches; a full queue drops spans."""
    global _tracer, _provider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({"service.name": service, "service.instance.id": instance})
    _provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    _provider.add_span_processor(
        BatchSpanProcessor(
            exporter,
            max_queue_size=_QUEUE_SPANS,
            max_export_batch_size=_BATCH_SPANS,
            schedule_delay_millis=_EXPORT_EVERY_MS,
            export_timeout_millis=_EXPORT_TIMEOUT_MS,
        )
    )
    _tracer = _provider.get_tracer("echosenseix")


def is_recording() -> bool:
    """Whether spans are kept at all."""
    return _tracer is not None


def stop_recording() -> None:
    """Send what is queued and stop; blocks up to the export timeout, so it is called from a thread at shutdown."""
    global _tracer, _provider
    provider, _tracer, _provider = _provider, None, None
    if provider is not None:
        provider.shutdown()
