"""A stand-in for ElevenLabs' API: real HTTP on loopback, answers in the shapes that the official SDK's models parse."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAGE = 2


@dataclass
class Provider:
    """`conversations` maps ids to what GET /conversations/{id} answers; `refusals` are statuses to answer first."""

    url: str = ""
    conversations: dict[str, dict[str, Any]] = field(default_factory=dict)
    audio: dict[str, bytes] = field(default_factory=dict)
    refusals: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def answer(self, target: str) -> tuple[int, str, bytes]:
        self.asked.append(target)
        if self.refusals:
            return self.refusals.pop(0), "application/json", b'{"detail":"no"}'
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


@asynccontextmanager
async def serving_provider() -> AsyncIterator[Provider]:
    provider = Provider()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        provider.keys.append(headers.get("xi-api-key", ""))
        status, media_type, body = provider.answer(head[0].split(" ")[1])
        writer.write(
            f"HTTP/1.1 {status} X\r\ncontent-type: {media_type}\r\ncontent-length: {len(body)}\r\n"
            "connection: close\r\n\r\n".encode()
            + body
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    provider.url = f"http://{host}:{port}"
    try:
        yield provider
    finally:
        server.close()
        await server.wait_closed()
