"""Stand-ins for the agent lists of Retell and Vapi: HTTP on loopback, answers that the official SDKs parse.

Each knows its own paths, its own key header and its own paging, and nothing of the other's.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "key_stand_in_0123"


@dataclass
class Account:
    """`asked` are (method, path, query) of every request; `refusals` are (status, headers) answered first."""

    agents: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)

    def answer(self, method: str, target: str, authorization: str, body: bytes) -> tuple[int, dict[str, str], Any]:
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append((method, parts.path, query))
        if self.refusals:
            return *self.refusals.pop(0), {"message": "no"}
        if authorization != f"Bearer {KEY}":
            return 401, {}, {"message": "no"}
        return 200, {}, self.page(method, parts.path, query, json.loads(body or b"{}"))

    def page(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> Any:
        raise NotImplementedError


class Retell(Account):
    page_size = 2

    def add(self, agent_id: str, name: str) -> None:
        self.agents.append(
            {
                "agent_id": agent_id,
                "agent_name": name,
                "channel": "voice",
                "is_suspended": False,
                "tags": {"prod": {"version": 3}},
                "user_modified_timestamp": 1_767_344_600_500,
            }
        )

    def page(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> Any:
        assert (method, path) == ("POST", "/v2/list-agents")
        assert int(query.get("limit", 50)) <= 1_000
        wanted = body.get("filter_criteria", {}).get("channel", {"value": "voice"})["value"]
        rows = [row for row in self.agents if row["channel"] == wanted]
        start = int(query.get("pagination_key", 0))
        end = start + self.page_size
        more = end < len(rows)
        return {"items": rows[start:end], "has_more": more, **({"pagination_key": str(end)} if more else {})}


class Vapi(Account):
    def add(self, agent_id: str, name: str | None, created_at: str) -> None:
        row: dict[str, Any] = {"id": agent_id, "orgId": "o", "createdAt": created_at, "updatedAt": created_at}
        voice = {"provider": "11labs", "voiceId": "voice-7"}
        self.agents.append({**row, "voice": voice, "maxDurationSeconds": 900, **({"name": name} if name else {})})

    def page(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> Any:
        assert (method, path) == ("GET", "/assistant")
        until = query.get("createdAtLe", "9")
        rows = [row for row in self.agents if row["createdAt"] <= until]
        return sorted(rows, key=lambda row: str(row["createdAt"]), reverse=True)[: int(query.get("limit", 100))]


@asynccontextmanager
async def serving(account: Account) -> AsyncIterator[str]:
    """The account's address."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines if line)
        headers = {name.lower(): value for name, value in headers.items()}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        method, target, _ = head.split(" ")
        status, more, document = account.answer(method, target, headers.get("authorization", ""), body)
        content = json.dumps(document).encode()
        more = {"content-type": "application/json", "content-length": str(len(content)), "connection": "close", **more}
        lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in more.items())]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()
