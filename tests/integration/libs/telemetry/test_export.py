"""Spans reach a real OTLP collector; a frozen one costs no one anything."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest_asyncio
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

PROCESS = Path(__file__).with_name("traced.py")
NOWHERE = "postgresql://unused:unused@127.0.0.1:1/none"
ENVIRONMENT = {"PYTHONPATH": ".", "DATABASE_URL": NOWHERE, "DATABASE_SYSTEM_URL": NOWHERE, "DRAIN_SECONDS": "3"}


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.resources: list[dict[str, str]] = []

    async def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 (the generated name)
        for group in request.resource_spans:
            self.resources.append({item.key: item.value.string_value for item in group.resource.attributes})
            self.spans += [span for scope in group.scope_spans for span in scope.spans]
        return trace_service_pb2.ExportTraceServiceResponse()


@pytest_asyncio.fixture
async def collector() -> AsyncIterator[tuple[Collector, str]]:
    server, servicer = grpc.aio.server(), Collector()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield servicer, f"http://127.0.0.1:{port}"
    await server.stop(0)


async def _run(endpoint: str, spans: int = 0) -> tuple[int, str, float]:
    """Start, wait until it has made its spans, stop; exit code, output, seconds from the signal to the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROCESS),
        "work",
        stdout=subprocess.PIPE,
        env={**os.environ, **ENVIRONMENT, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "SPANS": str(spans)},
    )
    assert process.stdout is not None
    lines = [await process.stdout.readline() for _ in range(2)]
    told = time.monotonic()
    process.send_signal(signal.SIGTERM)
    rest = await process.stdout.read()
    return await process.wait(), b"".join([*lines, rest]).decode(), time.monotonic() - told


async def test_spans_arrive_with_their_parents_and_service(collector: tuple[Collector, str]) -> None:
    received, endpoint = collector
    code, _, _ = await _run(endpoint)
    assert code == 0
    by_name = {span.name: span for span in received.spans}
    assert set(by_name) == {"outer", "inner"}
    assert by_name["inner"].parent_span_id == by_name["outer"].span_id
    assert by_name["outer"].trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert received.resources[0]["service.name"] == "traced"


async def test_a_frozen_collector_delays_neither_work_nor_end() -> None:
    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silence, "127.0.0.1", 0)
    code, output, seconds = await _run(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", spans=10_000)
    server.close()
    assert code == 0
    assert seconds < 4.5
    assert float(output.split("median_ms=")[1].split()[0]) < 1
    assert float(output.split("total_s=")[1].split()[0]) < 10
