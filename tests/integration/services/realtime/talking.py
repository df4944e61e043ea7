"""Talking to the WebSocket door command by command, below any SDK."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import websockets

from tests.integration.services.realtime.driving import Realtime


class Talk:
    """One connected socket: a command in, its reply out."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self.socket = socket
        self.client = ""
        self.numbers = itertools.count(2)
        self.pushes: list[dict[str, Any]] = []

    def joins(self, channel: str) -> list[dict[str, Any]]:
        return [push for push in self.pushes if push["channel"] == channel and "join" in push]

    async def until_pushes(self, count: int) -> None:
        while len(self.pushes) < count:
            await self._read()

    async def ask(self, **request: Any) -> dict[str, Any]:
        number = next(self.numbers)
        return await self.send(json.dumps({"id": number, **request}), number)

    async def send(self, frame: str, number: int) -> dict[str, Any]:
        """The reply of that number."""
        await self.socket.send(frame)
        while True:
            found = [reply for reply in await self._read() if reply.get("id") == number]
            if found:
                return found[-1]

    async def _read(self) -> list[dict[str, Any]]:
        """The replies of the next frame; pings are answered, pushes are kept."""
        replies = list[dict[str, Any]]()
        for line in str(await asyncio.wait_for(self.socket.recv(), 10)).splitlines():
            said: dict[str, Any] = json.loads(line)
            if not said:
                await self.socket.send("{}")
            elif "push" in said:
                self.pushes.append(said["push"])
            else:
                replies.append(said)
        return replies


@asynccontextmanager
async def talking(realtime: Realtime, org_id: str, **grant: Any) -> AsyncIterator[Talk]:
    async with websockets.connect(realtime.url) as socket:
        talk = Talk(socket)
        connected = await talk.send(json.dumps({"id": 1, "connect": {"token": realtime.token(org_id, **grant)}}), 1)
        talk.client = connected["connect"]["client"]
        assert talk.client
        yield talk


def code(reply: dict[str, Any]) -> int:
    assert reply["error"]["message"]
    return int(reply["error"]["code"])
