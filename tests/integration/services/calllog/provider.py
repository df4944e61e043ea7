"""Stand-ins for the APIs of ElevenLabs, Retell and Vapi: real HTTP on loopback, answers that their SDKs parse."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

SAMPLES = Path(__file__).resolve().parents[3] / "samples"
PAGE = 2
P = TypeVar("P", bound="Provider")


@dataclass
class Provider:
    """ElevenLabs. `conversations` maps ids to what GET /conversations/{id} answers; `refusals` are statuses to answer
    first, with `refusal_headers`. While `drip` is set a body comes a byte at a time and never ends; `endless` bodies
    come without a length as fast as they are read. Nothing is answered before `open` is set."""

    key_header = "xi-api-key"
    url: str = ""
    conversations: dict[str, dict[str, Any]] = field(default_factory=dict)
    audio: dict[str, bytes] = field(default_factory=dict)
    # Bodies answered instead, by the last part of the path.
    odd: dict[str, bytes] = field(default_factory=dict)
    refusals: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    refusal_headers: dict[str, str] = field(default_factory=dict)
    drip: bool = False
    endless: bool = False
    open: asyncio.Event | None = None

    def reply(self, method: str, target: str, key: str, body: bytes) -> tuple[int, str, bytes]:
        self.asked.append(target)
        self.keys.append(key)
        if self.refusals:
            return self.refusals.pop(0), "application/json", b'{"detail":"no"}'
        if odd := self.odd.get(urlsplit(target).path.rpartition("/")[2]):
            return 200, "application/json", odd
        return self.answer(method, target, body)

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, str, bytes]:
        parts = urlsplit(target)
        *_, last = parts.path.split("/")
        if parts.path == "/v1/convai/conversations":
            return 200, "application/json", json.dumps(self._page(parse_qs(parts.query))).encode()
        if last == "audio":
            audio = self.audio.get(parts.path.split("/")[-2])
            return (200, "audio/mpeg", audio) if audio else (404, "application/json", b"{}")
        if last in self.conversations:
            return 200, "application/json", json.dumps(self.conversations[last]).encode()
        return 404, "application/json", b'{"detail":{"status":"conversation_not_found"}}'

    def _page(self, query: dict[str, list[str]]) -> dict[str, Any]:
        after = int(query["call_start_after_unix"][0])
        listed = [self._summary(data) for data in self.conversations.values()]
        listed = [row for row in listed if row["start_time_unix_secs"] > after]
        start = int(query.get("cursor", ["0"])[0])
        more = start + PAGE < len(listed)
        return {
            "conversations": listed[start : start + PAGE],
            "next_cursor": str(start + PAGE) if more else None,
            "has_more": more,
        }

    @staticmethod
    def _summary(data: dict[str, Any]) -> dict[str, Any]:
        return {
            "agent_id": data["agent_id"],
            "conversation_id": data["conversation_id"],
            "start_time_unix_secs": data["metadata"]["start_time_unix_secs"],
            "call_duration_secs": data["metadata"]["call_duration_secs"],
            "message_count": len(data["transcript"]),
            "status": data["status"],
            "call_successful": data["analysis"]["call_successful"],
        }


class RetellProvider(Provider):
    """Retell. `conversations` maps ids to calls; recordings lie under /storage, which must get no key."""

    key_header = "authorization"

    def add(self, call_id: str, **data: Any) -> None:
        call = copy.deepcopy(json.loads((SAMPLES / "retell" / "call_analyzed.json").read_text())["call"])
        started = int(time.time() * 1_000) - 600_000
        call.update({"call_id": call_id, "start_timestamp": started, "end_timestamp": started + 25_000, **data})
        self.conversations[call_id] = call

    def keep_audio(self, call_id: str, audio: bytes) -> None:
        self.audio[call_id] = audio
        self.conversations[call_id]["recording_url"] = f"{self.url}/storage/{call_id}.wav?X-Signature=abc"

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, str, bytes]:
        path = urlsplit(target).path
        call_id = path.rpartition("/")[2]
        if path.startswith("/storage/"):
            return 200, "binary/octet-stream", self.audio[call_id.removesuffix(".wav")]
        if (method, path) == ("POST", "/v3/list-calls"):
            return 200, "application/json", json.dumps(self._listed(json.loads(body or b"{}"))).encode()
        if method == "GET" and path.startswith("/v2/get-call/") and call_id in self.conversations:
            return 200, "application/json", json.dumps(self.conversations[call_id]).encode()
        return 404, "application/json", b'{"status":"error","message":"not found"}'

    def _listed(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """A list tells everything of a call but its transcript."""
        criteria = wanted.get("filter_criteria", {})
        statuses = criteria.get("call_status", {}).get("value", ["ended", "error", "not_connected", "ongoing"])
        after = criteria.get("start_timestamp", {"op": "gt", "value": 0})
        assert after["op"] == "gt"
        rows = [
            {name: value for name, value in call.items() if not name.startswith("transcript")}
            for call in self.conversations.values()
            if call["call_status"] in statuses and call["start_timestamp"] > after["value"]
        ]
        start = int(wanted.get("pagination_key", 0))
        more = start + PAGE < len(rows)
        answer: dict[str, Any] = {"items": rows[start : start + PAGE], "has_more": more}
        return {**answer, "pagination_key": str(start + PAGE)} if more else answer


class VapiProvider(Provider):
    """Vapi. `conversations` maps ids to calls; recordings lie under /storage, which must get no key. Times are kept in
    microseconds and told in milliseconds."""

    key_header = "authorization"

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, datetime] = {}

    def add(self, call_id: str, created_at: datetime | None = None, **data: Any) -> None:
        message = copy.deepcopy(json.loads((SAMPLES / "vapi" / "end_of_call_report.json").read_text())["message"])
        beside = ("endedReason", "cost", "costs", "analysis", "artifact", "customer")
        created_at = created_at or datetime.now(UTC) - timedelta(minutes=10)
        times = {"createdAt": 0.0, "startedAt": 1.5, "endedAt": 32.75}
        call = {
            **message["call"],
            **{name: message[name] for name in beside},
            **{name: _milliseconds(created_at + timedelta(seconds=after)) for name, after in times.items()},
        }
        self.conversations[call_id] = {**call, "id": call_id, **data}
        self.kept[call_id] = created_at

    def keep_audio(self, call_id: str, audio: bytes) -> None:
        self.audio[call_id] = audio
        self.conversations[call_id]["artifact"]["recordingUrl"] = f"{self.url}/storage/{call_id}.wav"

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, str, bytes]:
        parts = urlsplit(target)
        call_id = parts.path.rpartition("/")[2]
        if parts.path.startswith("/storage/"):
            return 200, "binary/octet-stream", self.audio[call_id.removesuffix(".wav")]
        if (method, parts.path) == ("GET", "/call"):
            return 200, "application/json", json.dumps(self._listed(parse_qs(parts.query))).encode()
        if method == "GET" and parts.path == f"/call/{call_id}" and call_id in self.conversations:
            return 200, "application/json", json.dumps(self.conversations[call_id]).encode()
        return 404, "application/json", b'{"message":"not found","statusCode":404}'

    def _listed(self, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        """Newest first; of calls made at one time whichever comes first."""
        limit = int(query.get("limit", ["100"])[0])
        assert 0 <= limit <= 1_000
        since = datetime.fromisoformat(query.get("createdAtGe", ["2000-01-01T00:00:00Z"])[0])
        until = datetime.fromisoformat(query.get("createdAtLt", ["2100-01-01T00:00:00Z"])[0])
        rows = sorted(self.kept.items(), key=lambda row: row[1], reverse=True)
        return [self.conversations[call_id] for call_id, time in rows if since <= time < until][:limit]


def _milliseconds(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@asynccontextmanager
async def serving(provider: P) -> AsyncIterator[P]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await answer(provider, reader, writer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    provider.url = f"http://{host}:{port}"
    try:
        yield provider
    finally:
        server.close()
        await server.wait_closed()


async def answer(provider: Provider, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines if line)
    headers = {name.lower(): value for name, value in headers.items()}
    sent = await reader.readexactly(int(headers.get("content-length", 0)))
    method, target, _ = first.split(" ")
    status, media_type, body = provider.reply(method, target, headers.get(provider.key_header, ""), sent)
    if provider.open is not None:
        await provider.open.wait()
    more = provider.refusal_headers if status >= 400 else {}
    length = {} if provider.endless and status == 200 else {"content-length": str(len(body))}
    head = {"content-type": media_type, "connection": "close", **length, **more}
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in head.items())]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
    while provider.drip and status == 200 and not writer.is_closing():
        writer.write(body[:1])
        await writer.drain()
        await asyncio.sleep(0.02)
    while provider.endless and status == 200 and not writer.is_closing():
        writer.write(body)
        await writer.drain()
        await asyncio.sleep(0)
    writer.write(body)
    await writer.drain()
