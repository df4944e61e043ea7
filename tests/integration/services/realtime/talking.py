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
        self.numbers = itertools.count(2)

    async def ask(self, **request: Any) -> dict[str, Any]:
        number = next(self.numbers)
        return await self.send(json.dumps({"id": number, **request}), number)

    async def send(self, frame: str, number: int) -> dict[str, Any]:
        """The reply of that number; pings are answered, pushes are left out."""
        await self.socket.send(frame)
        while True:
            text = await asyncio.wait_for(self.socket.recv(), 10)
            for line in text.splitlines() if isinstance(text, str) else ():
                reply = json.loads(line)
                if reply == {}:
                    await self.socket.send("{}")
                elif reply.get("id") == number:
                    return dict(reply)


@asynccontextmanager
async def talking(realtime: Realtime, org_id: str) -> AsyncIterator[Talk]:
    async with websockets.connect(realtime.url) as socket:
        talk = Talk(socket)
        connected = await talk.send(json.dumps({"id": 1, "connect": {"token": realtime.token(org_id)}}), 1)
        assert connected["connect"]["client"]
        yield talk


def code(reply: dict[str, Any]) -> int:
    assert reply["error"]["message"]
    return int(reply["error"]["code"])
