"""A stand-in for ElevenLabs' list of agents: HTTP on loopback, answers in the official SDK's own models."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from elevenlabs.types import AgentSummaryResponseModel, GetAgentsPageResponseModel, ResourceAccessInfo

KEY = "sk_stand_in_0123"


@dataclass
class StandIn:
    """`pages` by cursor ('' first); `failures` are statuses answered before anything else, in their order.
    An answer can be held back until its event is set."""

    agents: list[AgentSummaryResponseModel] = field(default_factory=list)
    page_size: int = 2
    failures: list[int] = field(default_factory=list)
    fail_at_cursor: str | None = None
    asked: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    held: dict[int, asyncio.Event] = field(default_factory=dict)
    server: asyncio.Server | None = None

    def add(self, agent_id: str, name: str, tags: list[str] | None = None) -> None:
        access = ResourceAccessInfo(is_creator=True, creator_name="Ada", creator_email="ada@example.com", role="admin")
        self.agents.append(
            AgentSummaryResponseModel(
                agent_id=agent_id,
                name=name,
                voice_id="voice-1",
                tags=tags or [],
                created_at_unix_secs=1_700_000_000,
                updated_at_unix_secs=1_700_000_001,
                access_info=access,
            )
        )

    def hold(self, number: int) -> asyncio.Event:
        """Hold back the answer to the n-th question, from 1."""
        return self.held.setdefault(number, asyncio.Event())

    async def asked_times(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.asked) < count:
                await asyncio.sleep(0.01)

    async def start(self) -> str:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        assert self.server is not None
        self.server.close()
        await self.server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        target = head.split(" ")[1]
        key = next((line[12:] for line in head.split("\r\n") if line.lower().startswith("xi-api-key: ")), "")
        status, body = self._answer(target, key)
        if event := self.held.get(len(self.asked)):
            await event.wait()
        writer.write(
            f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
            f"retry-after: 7\r\nconnection: close\r\n\r\n".encode()
            + body
        )
        await writer.drain()
        writer.close()

    def _answer(self, target: str, key: str) -> tuple[int, bytes]:
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        cursor = query.get("cursor", "")
        self.asked.append(cursor)
        self.paths.append(parts.path)
        self.keys += [key] if key else []
        if self.failures and (self.fail_at_cursor is None or self.fail_at_cursor == cursor):
            return self.failures.pop(0), b'{"detail": {"status": "failed"}}'
        if key != KEY:
            return 401, b'{"detail": {"status": "invalid_api_key"}}'
        if parts.path != "/v1/convai/agents" or not 1 <= int(query.get("page_size", 30)) <= 100:
            return 404, b"{}"
        start = int(cursor or 0)
        rows, following = self.agents[start : start + self.page_size], start + self.page_size
        more = following < len(self.agents)
        page = GetAgentsPageResponseModel(agents=rows, next_cursor=str(following) if more else None, has_more=more)
        return 200, json.dumps(page.model_dump(mode="json")).encode()
